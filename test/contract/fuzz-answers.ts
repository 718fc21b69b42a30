/** What every answer of an operation must be, whatever was asked: as the document says. */
import assert from "node:assert/strict";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import {
  type OpenApiDocument,
  type PlacedOperation,
  publishedDocument,
} from "../support/openapi-document.ts";
import type { FuzzAnswer } from "./fuzz-gateway.ts";

const documentId = "openapi.json";

/** Checks an answer: its status is listed, its media type is the one of that status, its body is valid. */
export function createAnswerCheck(
  document: OpenApiDocument = publishedDocument(),
): (operation: PlacedOperation, answer: FuzzAnswer, asked: string) => void {
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  ajv.addSchema({ ...document, $id: documentId });
  const validators = new Map<string, ValidateFunction>();

  function validatorAt(pointer: string): ValidateFunction {
    const made = validators.get(pointer) ?? ajv.compile({ $ref: `${documentId}#${pointer}` });
    validators.set(pointer, made);
    return made;
  }

  return ({ path, method, responses, operationId }, answer, asked) => {
    const what = `${operationId}: ${asked}: ${answer.status} ${answer.text}`;
    const response = responses[answer.status];
    assert.ok(response !== undefined, `a status that is not documented: ${what}`);
    const [mediaType] = Object.keys(response.content ?? {});
    assert.equal(answer.contentType, mediaType, what);
    if (mediaType === undefined) return assert.equal(answer.text, "", what);
    const parts = [
      "paths",
      path,
      method.toLowerCase(),
      "responses",
      `${answer.status}`,
      "content",
      mediaType,
    ];
    const pointer = [...parts, "schema"].map((part) =>
      encodeURIComponent(part.replaceAll("~", "~0").replaceAll("/", "~1")),
    );
    const validate = validatorAt(`/${pointer.join("/")}`);
    assert.ok(validate(JSON.parse(answer.text)), `${ajv.errorsText(validate.errors)}: ${what}`);
  };
}
