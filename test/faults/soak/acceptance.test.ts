import { testAcceptance } from '../acceptance.js';

/**
 * A machine that counts instructions would take hours. This one's CPUs are threads of the host, and its clock goes on while they
 * wait for a core: the limits are this many times as long, an allowance for a host with nothing else to do.
 */
const SLOWNESS = 10;

testAcceptance('acceptance-10-minutes', 600, { accel: 'emulated', timeoutSeconds: 3000 }, SLOWNESS);
