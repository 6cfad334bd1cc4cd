export const EXPORT_USAGE =
  'straceback export ID|CHANNEL/TS|LINK --to FOLDER [--config FILE]   a look, or all of a thread, with its evidence as files';
export const PURGE_USAGE =
  'straceback purge --older-than 90d | --host HOST | --id ID [--yes] [--config FILE]   remove from the history; without --yes only say what';
