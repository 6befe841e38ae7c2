/** The package ships no types; these cover what is used of it. */
declare module 'dynalite' {
  import type { Server } from 'node:http';

  interface DynaliteOptions {
    /** How long a table stays CREATING, DELETING, UPDATING; 500 ms by default. */
    createTableMs?: number;
    deleteTableMs?: number;
    updateTableMs?: number;
    /** A folder to keep the tables in; in memory by default. */
    path?: string;
  }

  export default function dynalite(options?: DynaliteOptions): Server;
}
