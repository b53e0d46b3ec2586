/** A definition with all that the tests need of one: columns, defaults, pruning, list maps, status. */
export const anchorDefinition = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: anchors.test.capstan.dev
spec:
  group: test.capstan.dev
  scope: Namespaced
  names: {plural: anchors, kind: Anchor, shortNames: [anc], categories: [all]}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}}
    selectableFields:
    - jsonPath: .spec.chain
    additionalPrinterColumns:
    - {name: Ready, type: string, jsonPath: '.status.conditions[?(@.type=="Ready")].status'}
    - {name: Chain, type: string, jsonPath: .spec.chain}
    - {name: Status, type: string, jsonPath: '.status.conditions[?(@.type=="Ready")].message', priority: 1}
    - {name: Weight, type: integer, jsonPath: .spec.weight, priority: 1}
    - {name: Age, type: date, jsonPath: .metadata.creationTimestamp}
    schema:
      openAPIV3Schema:
        type: object
        description: what holds a ship
        required: [spec]
        properties:
          spec:
            type: object
            required: [chain]
            properties:
              chain: {type: string, minLength: 2, description: what it hangs on}
              weight: {type: integer, default: 7, maximum: 100}
              links:
                type: array
                x-kubernetes-list-type: map
                x-kubernetes-list-map-keys: [name]
                items:
                  type: object
                  required: [name]
                  properties:
                    name: {type: string}
                    size: {type: integer}
          status:
            type: object
            properties:
              conditions:
                type: array
                x-kubernetes-list-type: map
                x-kubernetes-list-map-keys: [type]
                items:
                  type: object
                  required: [type, status]
                  properties:
                    type: {type: string}
                    status: {type: string}
                    reason: {type: string}
                    message: {type: string}
                    lastTransitionTime: {type: string, format: date-time}
`;

export function anchor(name: string, spec = 'chain: steel'): string {
  return `apiVersion: test.capstan.dev/v1
kind: Anchor
metadata:
  name: ${name}
  namespace: linkerd
spec:
  ${spec.split('\n').join('\n  ')}
`;
}
