// A client that asks for the real one at every call: a control plane that was started anew has a new one.

import type { Client } from '@aksel/client/client'

export function forwardingClient(current: () => Client): Client {
  return {
    get: async (type, ref) => current().get(type, ref),
    list: async (type, options) => current().list(type, options),
    create: async (type, object, options) => current().create(type, object, options),
    update: async (type, object, options) => current().update(type, object, options),
    patch: async (type, ref, patch, options) => current().patch(type, ref, patch, options),
    delete: async (type, ref, options) => current().delete(type, ref, options),
    deleteCollection: async (type, options) => current().deleteCollection(type, options),
    createSubresource: async (type, ref, subresource, body) =>
      current().createSubresource(type, ref, subresource, body),
    async *watch(type, options) {
      yield* current().watch(type, options)
    },
    send: async (request) => current().send(request),
  }
}
