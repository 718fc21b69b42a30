import assert from "node:assert/strict";
import { test } from "node:test";
import { natRemoval } from "../../../src/embedded/nat-rules.ts";

const saved = `*nat
:POSTROUTING ACCEPT [0:0]
:CNI-DN-aaaa - [0:0]
:CNI-HOSTPORT-DNAT - [0:0]
:CNI-HOSTPORT-MASQ - [0:0]
:CNI-aaaa - [0:0]
:CNI-bbbb - [0:0]
-A POSTROUTING -m comment --comment "CNI portfwd requiring masquerade" -j CNI-HOSTPORT-MASQ
-A POSTROUTING -s 10.88.0.2/32 -m comment --comment "name: \\"crest-1\\" id: \\"pod\\"" -j CNI-aaaa
-A POSTROUTING -s 10.88.9.2/32 -m comment --comment "name: \\"crest-12\\" id: \\"pod\\"" -j CNI-bbbb
-A CNI-DN-aaaa -s 10.88.0.0/24 -p tcp -m tcp --dport 80 -j CNI-HOSTPORT-SETMARK
-A CNI-DN-aaaa -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.88.0.2:80
-A CNI-HOSTPORT-DNAT -p tcp -m comment --comment "dnat name: \\"crest-1\\" id: \\"pod\\"" -m multiport --dports 80 -j CNI-DN-aaaa
-A CNI-aaaa -d 10.88.0.0/24 -m comment --comment "name: \\"crest-1\\" id: \\"pod\\"" -j ACCEPT
-A CNI-aaaa ! -d 224.0.0.0/4 -m comment --comment "name: \\"crest-1\\" id: \\"pod\\"" -j MASQUERADE
-A CNI-bbbb -d 10.88.9.0/24 -m comment --comment "name: \\"crest-12\\" id: \\"pod\\"" -j ACCEPT
COMMIT
`;

test("natRemoval() removes a network's rules and its pods' chains, and not the shared ones", () => {
  assert.equal(
    natRemoval("crest-1", saved),
    `*nat
-D POSTROUTING -s 10.88.0.2/32 -m comment --comment "name: \\"crest-1\\" id: \\"pod\\"" -j CNI-aaaa
-D CNI-HOSTPORT-DNAT -p tcp -m comment --comment "dnat name: \\"crest-1\\" id: \\"pod\\"" -m multiport --dports 80 -j CNI-DN-aaaa
-F CNI-aaaa
-F CNI-DN-aaaa
-X CNI-aaaa
-X CNI-DN-aaaa
COMMIT
`,
  );
});

test("natRemoval() has nothing to do for a network without rules", () => {
  assert.equal(natRemoval("crest-2", saved), undefined);
  assert.equal(natRemoval("crest-1", ""), undefined);
});
