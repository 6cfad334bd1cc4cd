import { refusedInjection } from './inject.shared.ts';

/** Not done; says why. */
export const lptrace = refusedInjection('lptrace');
