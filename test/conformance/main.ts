// Every set of test vectors by others, apart from the tests: `npm run conformance`.
import { sets } from './sets.ts';
import { vectorsFolder } from './vectors.ts';

/** Runs every set and prints what differs and a count of each; answers whether all of them hold. */
function conformance(folder: string): boolean {
  let all = true;
  for (const { name, size, cases, exempt } of sets) {
    const found = cases(folder);
    let passed = 0;
    for (const { id, difference } of found) {
      const what = difference();
      if (what === undefined) passed++;
      else if (!(id in exempt)) process.stdout.write(`${name}: ${id} ${what}\n`);
    }
    const left = Object.keys(exempt).length;
    const exempted = left === 0 ? '' : ` (${left} exempt, each with its reason)`;
    process.stdout.write(`${name}: ${passed} of ${found.length} passed${exempted}\n`);
    all &&= found.length === size && passed === size - left;
  }
  return all;
}

const folder = vectorsFolder(process.env.CAPSTAN_VECTORS);
if (folder === undefined) {
  process.stderr.write('conformance: there are no vectors; name their folder with CAPSTAN_VECTORS\n');
  process.exitCode = 2;
} else if (!conformance(folder)) process.exitCode = 1;
