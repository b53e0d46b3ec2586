import type { LabelSelector } from '../kube/label-selector.ts';
import type { Condition, KubeObject, Resource } from '../kube/resource.ts';

/** Bundle, trust.cert-manager.io/v1alpha1: what to distribute, and where to. */
export interface Bundle extends KubeObject {
  spec: BundleSpec;
  status?: BundleStatus;
}

export interface BundleSpec {
  sources: BundleSource[];
  target?: BundleTarget;
}

/** Exactly one of its fields is set. */
export interface BundleSource {
  configMap?: SourceSelector;
  secret?: SourceSelector;
  inLine?: string;
  useDefaultCAs?: boolean;
}

/** Objects of the trust namespace: one by name or several by labels; one key of theirs or all. */
export interface SourceSelector {
  name?: string;
  selector?: LabelSelector;
  key?: string;
  includeAllKeys?: boolean;
}

export interface BundleTarget {
  configMap?: TargetTemplate;
  secret?: TargetTemplate;
  additionalFormats?: { jks?: { key: string }; pkcs12?: { key: string } };
  /** Every namespace where absent. */
  namespaceSelector?: LabelSelector;
}

export interface TargetTemplate {
  key: string;
  metadata?: { labels?: Record<string, string>; annotations?: Record<string, string> };
}

export interface BundleStatus {
  conditions?: Condition[];
  defaultCAVersion?: string;
}

export const bundles: Resource = {
  group: 'trust.cert-manager.io',
  version: 'v1alpha1',
  kind: 'Bundle',
  plural: 'bundles',
  namespaced: false,
};

/** On each target: the name of its Bundle. */
export const bundleLabel = 'trust.cert-manager.io/bundle';

/** On each target: the hash of all that was written to it. */
export const hashAnnotation = 'trust.cert-manager.io/hash';

/** Owner of the fields that are written, in targets and in the Bundle's status. */
export const fieldManager = 'trust-manager';
