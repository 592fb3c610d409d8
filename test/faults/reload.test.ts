import { testReload } from './reload.js';

testReload('reload', 50);
