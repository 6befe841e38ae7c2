import { describeCredential } from '../support/credential-suite.ts';

describeCredential({ encrypted: false });
