// Certificates that nobody signs.

import type { Scenario } from './scenario.ts'

/** For `CN=somebody`; its key was thrown away. */
const REQUEST = `-----BEGIN CERTIFICATE REQUEST-----
MIHNMHUCAQAwEzERMA8GA1UEAwwIc29tZWJvZHkwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAT18E3Bo+Fa4n1rQy6YtlHJdIvOh+Nw2kdqrhd8nLAJHxQwb7iXpb9S
IaDcBj9O51oxL6BOv8FUwioQbXO+qAASoAAwCgYIKoZIzj0EAwIDSAAwRQIgXwLT
x0ZYZw2oeckCvhmxuBytg69PTR3lVY5H02uqLwoCIQD3xRfynojYZVqU+z+8Qqo9
jjo9QLUCe32898LknC6RZg==
-----END CERTIFICATE REQUEST-----
`

function request(name: string): object {
  return {
    apiVersion: 'certificates.k8s.io/v1',
    kind: 'CertificateSigningRequest',
    metadata: { name },
    spec: {
      request: btoa(REQUEST),
      signerName: 'kubernetes.io/kube-apiserver-client',
      usages: ['client auth'],
    },
  }
}

export const papers: readonly Scenario[] = [
  {
    name: 'a signing request that nobody approves',
    finds: 'access/certificate-not-approved',
    about: 'CertificateSigningRequest',
    cause: /Nobody has approved the request of/,
    objects: (namespace) => [request(`somebody-of-${namespace}`)],
  },
  {
    name: 'a signing request that was denied',
    finds: 'access/certificate-refused',
    about: 'CertificateSigningRequest',
    cause: /The request was denied/,
    objects: (namespace) => [request(`nobody-of-${namespace}`)],
    afterwards: (namespace) => [['certificate', 'deny', `nobody-of-${namespace}`]],
  },
]
