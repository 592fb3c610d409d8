import { testReload } from '../reload.js';

testReload('reload-50-objects', 50, 1, 7200);
