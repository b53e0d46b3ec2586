/**
 * Set in the environment of every process that Capstan starts: its stdin is our pipe, and it ends when that does,
 * which happens even when we are killed with -9.
 */
export const parentPipeVariable = 'CAPSTAN_ENDS_WITH_STDIN';
