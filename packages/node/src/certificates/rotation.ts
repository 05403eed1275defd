// When a certificate is to be replaced. Pure.

import { X509Certificate } from 'node:crypto'

export interface Validity {
  readonly notBeforeMs: number
  readonly notAfterMs: number
}

/** Undefined for what is no certificate. */
export function validityOf(certificatePem: string): Validity | undefined {
  try {
    const { validFromDate, validToDate } = new X509Certificate(certificatePem)
    return { notBeforeMs: validFromDate.getTime(), notAfterMs: validToDate.getTime() }
  } catch {
    return undefined
  }
}

/** Between 70 and 90 % of its life, by chance, so that nodes that were made together do not ask together: as the kubelet. */
export function rotationDueMs({ notBeforeMs, notAfterMs }: Validity, chance: number): number {
  return Math.ceil(notBeforeMs + (notAfterMs - notBeforeMs) * (0.7 + 0.2 * chance))
}
