import { testAcceptance } from '../acceptance.js';

testAcceptance('acceptance-10-minutes', 600, 7200);
