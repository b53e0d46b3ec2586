import { expect, test } from 'vitest';
import { crdErrors, withCrdDefaults } from '../src/apiserver/schema/crd-rules.ts';
import { describeFieldErrors } from '../src/apiserver/schema/field-error.ts';
import { builtinKind } from '../src/apiserver/schema/kinds.ts';
import { validateObject } from '../src/apiserver/schema/structural.ts';
import { certManagerDefinitions } from '../src/certmanager/definitions.ts';
import { trustManagerDefinitions } from '../src/trustmanager/definitions.ts';

const kind = builtinKind('apiextensions.k8s.io', 'v1', 'CustomResourceDefinition')!;

const definitions = [...certManagerDefinitions(), ...trustManagerDefinitions()];

test.each(definitions.map((definition) => [definition.metadata.name, definition] as const))(
  'the API server takes the definition of %s as it is',
  (_, definition) => {
    const crd = withCrdDefaults({ ...definition });
    expect(validateObject(kind.schema, crd)).toEqual([]);
    expect(describeFieldErrors(crdErrors(crd))).toBe('[]');
  },
);
