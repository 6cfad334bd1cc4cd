import { refusedInjection } from './inject.shared.ts';

/** Not done; says why. */
export const pyrasite = refusedInjection('pyrasite');
