import Type from 'typebox'

import { ProductSchema } from './product.ts'

const CatalogSchema = Type.Object(
  {
    $schema: Type.Optional(
      Type.String({ title: 'Schema', description: 'Lets an editor check the file while it is written.' }),
    ),
    products: Type.Array(ProductSchema, { title: 'Products', description: 'Each sku once.' }),
  },
  {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Catalog',
    description: 'The products that buy links can sell.',
    additionalProperties: false,
  },
)

/** The text of `catalog.schema.json`: JSON Schema 2020-12, with short lists on one line as the formatter has them. */
export function catalogSchemaFile(): string {
  const text = JSON.stringify(CatalogSchema, null, 2)
  const oneLine = (list: string) => list.replace(/\s*\n\s*/g, ' ').replace(/^\[ | \]$/g, (end) => end.trim())
  return `${text.replace(/\[\n[^[\]{}]*\]/g, oneLine)}\n`
}

if (import.meta.main) process.stdout.write(catalogSchemaFile())
