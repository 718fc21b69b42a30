/** A guide to what all routes that stream items have in common. */
import { type Html, html } from "./html.ts";
import { row } from "./sessions-guide.ts";

/** `tokenFile`: the shell word for the token file. */
export const streamsGuide = (
  tokenFile: string,
): Html => html`<section class="guide" id="streams" aria-labelledby="streams-title">
<h2 id="streams-title"><a href="#streams">Streams</a></h2>
<p>Some operations can send items one by one, as they come: lines of a log, events, readings, the progress of a pull,
the members of a list. The header <code>Accept</code> chooses the form. Each operation says which forms it has, and
which one it uses without the header.</p>
<dl class="table">
${row("application/json", "One answer. To follow a log or to watch events, choose another form.")}
${row("application/x-ndjson", "A line of JSON for each item.")}
${row("text/event-stream", "A server-sent event for each item. In logs and events it has an id: send it as Last-Event-ID to continue behind it. While nothing happens, a comment comes every 15 seconds.")}
${row("text/plain", "A line for people. In logs, the text of the container.")}
</dl>
<p>Operations that watch or follow (GET) also accept a WebSocket at the same path, with
<code>Authorization: Bearer TOKEN</code>. It has no subprotocol, and sends a text message of JSON for each item.</p>
<figure class="code"><figcaption>curl</figcaption>
<pre><code class="curl">curl -N -H "Authorization: Bearer $(cat <span data-token-file>${tokenFile}</span>)" \\
  -H "Accept: application/x-ndjson" \\
  "<span data-origin="http">http://127.0.0.1:8585</span>/v1/events?watch=true"</code></pre></figure>
<figure class="code"><figcaption>JavaScript</figcaption>
<pre><code class="script">// For Node 22, whose WebSocket can send headers
const url = "<span data-origin="http">http://127.0.0.1:8585</span>/v1/events?watch=true";
const headers = { authorization: "Bearer TOKEN" };
const socket = new WebSocket(url.replace("http", "ws"), { headers });
socket.onmessage = ({ data }) => console.log(JSON.parse(data));
socket.onclose = ({ code }) => console.log("end", code);</code></pre></figure>
<h3>The end</h3>
<p>What fails before the first item is an ordinary answer with a problem. What fails later is the last item,
<code>{"error": PROBLEM}</code>, or a server-sent event of type <code>error</code>. Only a list is cut off instead. Close
the connection to stop a stream.</p>
<p>A client that reads slowly is waited for; only a reader of events that falls too far behind gets a
<code>gap</code>. Each stream takes one of the places that <code>--max-sessions</code> limits, and one of the six
connections that a browser opens to an address: stop one before you start a seventh on this page.</p>
</section>
`;
