/** Types of the parts that we use; the package ships none. */
declare module 'dynalite' {
  import type { Server } from 'node:http';

  interface DynaliteOptions {
    /** How long a table stays CREATING; the next two are for DELETING and UPDATING. 500 ms by default. */
    createTableMs?: number;
    deleteTableMs?: number;
    updateTableMs?: number;
    /** The folder of the tables; by default they are in memory. */
    path?: string;
  }

  export default function dynalite(options?: DynaliteOptions): Server;
}
