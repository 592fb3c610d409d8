import { testAcceptance } from '../acceptance.js';

testAcceptance('acceptance-10-minutes', 600, { timeoutSeconds: 7000 });
