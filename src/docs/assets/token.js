/**
 * The token: asked for once, kept in this module's memory and nowhere else. Nothing here may write it into
 * the page, an address or a storage.
 */
import { showProblem } from "./answer.js";
import { element, find } from "./element.js";

/** @type {string | undefined} */
let token;

const dialog = find(document, "dialog#token", HTMLDialogElement);
const field = find(dialog, "#token-value", HTMLInputElement);
const result = find(dialog, ".result", HTMLElement);
const forget = find(dialog, ".forget", HTMLButtonElement);
const openers = [...document.querySelectorAll("button.token")];

/**
 * The token, asked for when there is none yet.
 *
 * @returns {Promise<string | undefined>} Undefined when the dialog was closed without one.
 */
export async function requireToken() {
  if (token !== undefined) return token;
  openDialog();
  await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
  return token;
}

function openDialog() {
  result.replaceChildren();
  forget.hidden = token === undefined;
  dialog.showModal();
  field.focus();
}

/** @param {string | undefined} value */
function keep(value) {
  token = value;
  for (const opener of openers) opener.textContent = value === undefined ? "Token" : "Token: set";
}

for (const opener of openers) opener.addEventListener("click", openDialog);
find(dialog, ".close", HTMLButtonElement).addEventListener("click", () => dialog.close());
forget.addEventListener("click", () => {
  keep(undefined);
  markGrants(undefined);
  dialog.close();
});
dialog.addEventListener("close", () => {
  field.value = "";
});

find(dialog, "form", HTMLFormElement).addEventListener("submit", async (event) => {
  event.preventDefault();
  const given = field.value.trim();
  if (given === "") return field.focus();
  result.replaceChildren("Asking the gateway …");
  await use(given).catch(showUnreachable);
});
void signIn();

/**
 * Signs in with the key of a link, if the address has one, which then no longer has it.
 *
 * @returns {Promise<void>}
 */
async function signIn() {
  const key = /^#key=([\w-]+)$/.exec(location.hash)?.[1];
  if (key === undefined) return;
  history.replaceState(null, "", location.pathname + location.search);
  try {
    const { answer } = await ask("POST", "/v1/sign-in", key);
    if (answer.token !== undefined) return await use(answer.token);
    openDialog();
    showProblem(result, answer);
    result.prepend(element("p", {}, "The link does not sign in, perhaps because it was used before."));
  } catch (error) {
    openDialog();
    showUnreachable(error);
  }
}

/**
 * @param {string} method
 * @param {string} path
 * @param {string} bearer
 */
async function ask(method, path, bearer) {
  const response = await fetch(path, {
    method,
    headers: { authorization: `Bearer ${bearer}` },
    credentials: "omit",
    cache: "no-store",
  });
  return { status: response.status, answer: await response.json() };
}

/**
 * Takes the token if the gateway knows it, and shows why it does not otherwise.
 *
 * @param {string} given
 */
async function use(given) {
  const { status, answer } = await ask("GET", "/v1/grants", given);
  if (status !== 200) {
    showProblem(result, answer);
    if (status === 401) result.prepend(element("p", {}, "The gateway does not know this token."));
    return field.select();
  }
  keep(given);
  nameTokenFile(answer.tokenFile);
  markGrants(answer.grants.map((/** @type {{ grant: string }} */ { grant }) => grant));
  dialog.close();
}

/** @param {unknown} error */
function showUnreachable(error) {
  result.replaceChildren(element("p", { class: "failed" }, `The gateway cannot be reached: ${error}`));
}

/**
 * Puts the path of the token's file into the curl lines, unless somebody wrote another one there.
 *
 * @param {string | undefined} path
 */
function nameTokenFile(path) {
  const input = find(dialog, "#token-file", HTMLInputElement);
  if (path === undefined || input.value !== input.defaultValue) return;
  input.value = path;
  input.dispatchEvent(new Event("input"));
}

/**
 * Marks the grants that the token's owner does not have.
 *
 * @param {readonly string[] | undefined} grants
 */
function markGrants(grants) {
  for (const place of document.querySelectorAll("code.grant")) {
    const missing = grants !== undefined && !grants.includes(place.getAttribute("data-grant") ?? "");
    place.classList.toggle("missing", missing);
    place.nextElementSibling?.remove();
    if (missing) place.after(element("span", { class: "flag" }, "you do not have it"));
  }
}
