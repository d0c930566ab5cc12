import etag from '@fastify/etag'
import type { FastifyInstance } from 'fastify'
import { AppError } from '../errors.ts'
import { parseItems, printItem } from '../links/cart.ts'
import { qrPng, qrSvg } from '../links/qr.ts'

/** `GET /qr/:sku.svg` and `.png`: the buy link of a product as a QR code, for pages and posters. */
export async function qrRoutes(app: FastifyInstance): Promise<void> {
  await app.register(etag)

  app.get<{ Params: { file: string } }>('/qr/:file', async (request, reply) => {
    const file = /^(.+)\.(svg|png)$/su.exec(request.params.file)
    const items = file?.[1] === undefined ? undefined : parseItems(file[1])
    const product = items?.form === 'bare' ? app.catalog.current.find(items.sku) : undefined
    if (product === undefined) throw new AppError('unknown-sku')
    const link = `${app.config.publicUrl}/buy/${printItem(product.sku)}`
    reply
      .header('cache-control', 'public, max-age=300')
      // It is made to stand on other people's pages.
      .header('cross-origin-resource-policy', 'cross-origin')
    return file?.[2] === 'png'
      ? reply.type('image/png').send(Buffer.from(qrPng(link)))
      : reply.type('image/svg+xml; charset=utf-8').send(qrSvg(link))
  })
}
