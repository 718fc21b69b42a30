/** The undici file that contains only `Client`. undici ships types only for its main file. */
declare module "undici/lib/dispatcher/client.js" {
  import { Client } from "undici";
  export default Client;
}
