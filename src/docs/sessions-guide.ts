/** A guide to what all WebSocket routes have in common. */
import { type Html, html } from "./html.ts";

/** A row of a guide's table. */
export const row = (key: string, text: string): Html =>
  html`<div><dt>${key}</dt><dd>${text}</dd></div>
`;

export const sessionsGuide = html`<section class="guide" id="sessions" aria-labelledby="sessions-title">
<h2 id="sessions-title"><a href="#sessions">WebSocket sessions</a></h2>
<p>Interactive commands (<a href="#execContainer">execContainer</a>), attaching
(<a href="#attachContainer">attachContainer</a>) and port forwarding (<a href="#forwardPorts">forwardPorts</a>)
are WebSockets. They speak the subprotocols of Kubernetes, so its clients work unchanged. A refusal before the session
stands is an ordinary answer with a problem, not a closed socket.</p>
<h3>Opening</h3>
<p>Connect with <code>Authorization: Bearer TOKEN</code> and offer a subprotocol. A browser cannot set headers:
it offers <code>base64url.bearer.authorization.k8s.io.</code> followed by the token in unpadded base64url,
beside a real one. Without an offer the gateway speaks as in v4.</p>
<dl class="table">
${row("v5.channel.k8s.io", "Binary messages; the client may close one channel and keep the others.")}
${row("v4.channel.k8s.io", "Binary messages.")}
${row("v4.base64.channel.k8s.io", "Text messages: the channel as a digit, the payload in base64.")}
${row("channel.k8s.io, base64.channel.k8s.io", "As the two of v4, but channel 3 has only the message of a failure, as plain text. For exec and attach.")}
</dl>
<h3>Messages of exec and attach</h3>
<p>The first byte of every message is its channel, the rest is the payload. The first message from the gateway
has no payload and says that the session stands.</p>
<dl class="table narrow">
${row("0", "Input of the command, from the client.")}
${row("1", "Its output; with a terminal all of it.")}
${row("2", "Its error output.")}
${row("3", "How it ended, as a Status of Kubernetes in JSON: Success, or Failure with the exit code among its causes.")}
${row("4", 'Size of the terminal, from the client: {"Width":80,"Height":24}.')}
${row("5", "About a kept session, in JSON: see below. Only with session=keep.")}
${row("255", "The client closes the channel that the second byte names: 255, 0 ends the input (v5 only).")}
</dl>
<h3>Messages of port forwarding</h3>
<p>The port at place i of the query, counted from 0, has channel 2i for its bytes and 2i+1 for what went wrong. On
each channel the gateway’s first message is the port’s number, two bytes in little-endian order. With
<code>raw=true</code> and one port, messages are the bytes of the connection and nothing else.</p>
<h3>The end</h3>
<dl class="table narrow">
${row("1000", "The command has ended, or all connections have.")}
${row("1001", "The gateway is shutting down.")}
${row("1009", "The client sent a message of more than 16 MiB.")}
${row("1012", "The runtime went away. The command may still run.")}
${row("4400", "The client sent a message that has no meaning.")}
${row("4401", "The caller's token was revoked or changed, or has expired.")}
${row("4408", "The session was idle for too long, or its time was over, or an attached client read too slowly.")}
${row("4409", "Another connection took over the kept session.")}
${row("4410", "The kept session was ended by endSession, or has ended.")}
${row("4502", "The port refused the connection (raw forwarding).")}
</dl>
<h3>Kept sessions</h3>
<p>With <code>session=keep</code>, exec and attach survive a lost connection: the gateway keeps the session for
<code>--session-linger</code> (60 s), and its caller goes on with it by <a href="#resumeSession">resumeSession</a>.
A client that closes with 1000, or without a code, ends the session at once; with any other code, such as 4000, it
leaves it to be resumed. <a href="#listSessions">listSessions</a> and <a href="#endSession">endSession</a> show and end
those that are kept. They do not outlive the gateway.</p>
<p>Other codes from 4000 up are 4000 and an HTTP status.</p>
</section>
`;
