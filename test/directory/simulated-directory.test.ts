import { startSimulatedDirectory } from '../../dev/simulated-directory/server.ts';
import { ADMINISTRATOR, OTHER_ACCOUNT, SERVICE_ACCOUNT } from './accounts.ts';
import { holdContract } from './contract.ts';

holdContract('the simulated directory', async (authority) => {
  const { url, close } = await startSimulatedDirectory({
    certificate: authority.issue('directory', ['127.0.0.1']),
    administrator: ADMINISTRATOR,
    serviceAccount: SERVICE_ACCOUNT,
    otherAccount: OTHER_ACCOUNT,
  });
  return { url, stop: close };
});
