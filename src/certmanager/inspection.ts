import { authorizationOf, type Inspection, signsRequestsOnly, specProblem } from './issuer-plan.ts';
import type { Issuer } from './kinds.ts';
import type { SigningContext } from './signing.ts';
import { openVault, type VaultSession } from './vault-client.ts';
import { vaultAccess } from './vault-credentials.ts';

/** Looks at an issuer and its CA. Never rejects: what went wrong is part of what was found. */
export async function inspectIssuer(issuer: Issuer, context: SigningContext): Promise<Inspection> {
  const problem = specProblem(issuer);
  if (problem) return { found: 'spec problem', ...problem };
  let vault: VaultSession;
  try {
    vault = await openVault(await vaultAccess(issuer, context), context.connect);
  } catch (error) {
    return { found: 'no client', error };
  }
  try {
    await vault.checkHealth();
    const token = await vault.lookUpToken();
    const answer = signsRequestsOnly(issuer.spec.vault!) ? await vault.signNothing() : undefined;
    return { found: 'healthy', authorization: authorizationOf({ token, answer }) };
  } catch (error) {
    return { found: 'unhealthy', error };
  }
}
