/** The file of undici that holds `Client` alone; undici has types for its main file only. */
declare module "undici/lib/dispatcher/client.js" {
  import { Client } from "undici";
  export default Client;
}
