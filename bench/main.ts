// npm run bench [chain|issuing|ca|revocation|store]: each alone, or all in turn. Ratios within one run are what counts; the machine's
// own speed is printed beside them (openssl speed).
import { benchCa } from './ca.ts';
import { benchChain } from './chain.ts';
import { benchIssuing } from './issuing.ts';
import { benchRevocation } from './revocation.ts';
import { benchStore } from './store.ts';

const benches: Record<string, () => Promise<void>> = {
  chain: benchChain,
  issuing: benchIssuing,
  ca: benchCa,
  revocation: benchRevocation,
  store: benchStore,
};

const wanted = process.argv.slice(2);
for (const name of wanted) {
  if (!(name in benches)) {
    console.error(`there is no benchmark ${name}; there are ${Object.keys(benches).join(', ')}`);
    process.exit(2);
  }
}
for (const [name, bench] of Object.entries(benches)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  console.log(`\n# ${name}`);
  await bench();
}
