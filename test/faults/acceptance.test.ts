import { testAcceptance } from './acceptance.js';

testAcceptance('acceptance', 31);
