// DefaultIngressClass: an Ingress that names no class gets the cluster's default one.

import type { Ingress, IngressClass } from '@aksel/api/types/networking-v1'
import type { Draft } from '@aksel/base/draft'
import { concerns, type AdmissionPlugin } from './admission.ts'

const group = 'networking.k8s.io'

export const defaultIngressClass: AdmissionPlugin = {
  name: 'DefaultIngressClass',
  handles: (request) => request.operation === 'CREATE' && concerns(request, group, 'ingresses'),
  async admit({ object }, { records, kinds }) {
    const ingress = object as unknown as Draft<Ingress>
    if (ingress.spec?.ingressClassName !== undefined) return false
    if (ingress.metadata.annotations?.['kubernetes.io/ingress.class'] !== undefined) return false
    const classes = (await records.list(kinds.find(group, 'v1', 'ingressclasses')!))
      .map((record) => record.object as IngressClass)
      .filter(({ metadata }) => metadata.annotations?.['ingressclass.kubernetes.io/is-default-class'] === 'true')
    // The newest wins, then the name: a class that replaces another is the one that is meant.
    const [chosen] = classes.toSorted(
      (a, b) =>
        (b.metadata.creationTimestamp ?? '').localeCompare(a.metadata.creationTimestamp ?? '') ||
        a.metadata.name.localeCompare(b.metadata.name),
    )
    if (chosen === undefined) return false
    ingress.spec = { ...ingress.spec, ingressClassName: chosen.metadata.name } as Draft<Ingress>['spec']
    return true
  },
}
