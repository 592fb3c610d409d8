import { testReload } from './reload.js';

testReload('reload', 5, 10, 900);
