/** The release of Vault whose behaviour this server has, and that clients which look at versions are to see. */
const release = '1.17.0';

export const vaultVersion = `${release}+capstan`;

/** What an engine that comes with the server has for a version. */
export const builtinVersion = `v${release}+builtin.capstan`;
