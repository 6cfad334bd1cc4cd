export type { Block } from './blocks.ts';
export { checkHomeView, checkMessageBlocks, checkModalView, type Verdict } from './check.ts';
export type { HomeView, ModalView } from './views.ts';
