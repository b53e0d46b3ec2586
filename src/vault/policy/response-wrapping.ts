/** The policy of wrapping tokens: to read what was wrapped, and nothing else. It is not listed, given or changed. */
export const responseWrapping = {
  name: 'response-wrapping',
  text: `
path "cubbyhole/response" {
    capabilities = ["create", "read"]
}

path "sys/wrapping/unwrap" {
    capabilities = ["update"]
}
`,
};
