/** Everything that the reference does in a browser. */
import "./navigation.js";
import "./schema-trees.js";
import "./request-lines.js";
import "./try-it.js";
