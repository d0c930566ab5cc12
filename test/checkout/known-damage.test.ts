import { expect, test } from 'vitest'
import { type Service, startService } from '../service.ts'
import { SIGNING, signed } from '../signed-links/signed.ts'
import { expectPage, lastAsked, sessionsOf } from './clicks.ts'

const PRODUCTS = [
  {
    sku: 'tee-black-m',
    name: 'Black T-shirt, M',
    amount: 2500,
    adjustable_quantity: { minimum: 1, maximum: 10 },
  },
  { sku: "o'neill", name: 'Cap', amount: 1200 },
  { sku: 'café', name: 'Coffee', amount: 900 },
]
const TEE = '/buy/tee-black-m'

interface Damage {
  /** What changes links, and where that was reported. */
  by: string
  source: string
  /** What arrives here, and what it was. */
  links: readonly string[]
  /** What the session has to be; a status for a page that leads to the product. */
  sold:
    | {
        quantity?: number
        sku?: string
        email?: string
        reference?: string
        metadata?: Record<string, string>
      }
    | number
}

const KNOWN: readonly Damage[] = [
  {
    by: 'Mautic adds its UTM tags with a second question mark, raw or escaped',
    source: 'https://github.com/mautic/mautic/issues/10310',
    links: [
      `${TEE}?quantity=2?utm_source=mautic&utm_medium=email_mkt`,
      `${TEE}?quantity=2%3Futm_source%3Dmautic&utm_medium=email_mkt`,
    ],
    sold: { quantity: 2, metadata: { utm_source: 'mautic', utm_medium: 'email_mkt' } },
  },
  {
    by: 'a newsletter plugin adds utm_medium behind a link with an email',
    source: 'https://github.com/Automattic/newspack-plugin/issues/1952',
    links: [`${TEE}?client_reference_id=xxx&email=john%40example.com?utm_medium=email`],
    sold: { email: 'john@example.com', reference: 'xxx', metadata: { utm_medium: 'email' } },
  },
  {
    by: 'a sharing plugin adds UTM tags to a path whose query is another one',
    source: 'https://github.com/warfare-plugins/social-warfare/issues/64',
    links: [`${TEE}?hvid=1CaQtt?utm_source=twitter&utm_medium=social`],
    sold: { metadata: { utm_source: 'twitter', utm_medium: 'social' } },
  },
  {
    by: 'an email inliner escapes ampersands as entities, once or twice',
    source: 'https://github.com/foundation/foundation-emails/issues/58',
    links: [
      `${TEE}?utm_source=newsletter&amp;utm_medium=email&amp;quantity=2`,
      `${TEE}?utm_source=newsletter&amp;amp;utm_medium=email&amp;amp;quantity=2`,
    ],
    sold: { quantity: 2, metadata: { utm_source: 'newsletter', utm_medium: 'email' } },
  },
  {
    by: 'a mail editor percent-encodes the semicolon of the entity',
    source: 'https://github.com/veda-consulting-company/uk.co.vedaconsulting.mosaico/issues/175',
    links: [`${TEE}?utm_source=a&amp%3Bquantity=2`],
    sold: { quantity: 2, metadata: { utm_source: 'a' } },
  },
  {
    by: 'a click tracker redirects to the entity, which ends up in the value before it',
    source: 'https://github.com/jdavidbakr/mail-tracker/pull/24',
    links: [`${TEE}?utm_source=a%26amp%3Butm_medium%3Demail`],
    sold: { metadata: { utm_source: 'a', utm_medium: 'email' } },
  },
  {
    by: 'Safe Links keep the link as an escaped parameter; copied by hand it is decoded too little',
    source: 'https://fasttools.store/blog/decode-outlook-safelinks',
    links: [`${TEE}%3Fquantity%3D2%26utm_source%3Dnews`, `${TEE}%253Fquantity=2%2526utm_source=news`],
    sold: { quantity: 2, metadata: { utm_source: 'news' } },
  },
  {
    by: 'Proofpoint writes links with signs in place of others; decoded by hand, some of them stay',
    source: 'https://wildandfreetools.com/blog/proofpoint-url-defense-decoder/',
    links: [`${TEE}__`, `${TEE}__;`, `${TEE};`],
    sold: {},
  },
  {
    by: 'SendGrid counts the closing bracket behind a link as a part of it',
    source: 'https://github.com/spatie/mailcoach-support/issues/206',
    links: [`${TEE})`, `${TEE}%29`, `${TEE}?utm_source=news)`],
    sold: {},
  },
  {
    by: 'SendGrid turns blanks of a path into plus signs, also one behind the link: another sku',
    source: 'https://github.com/sendgrid/sendgrid-csharp/issues/1220',
    links: [`${TEE}+`],
    sold: 404,
  },
  {
    by: 'SendGrid fills the place between two percent signs, which eats the rest of a link',
    source: 'https://github.com/awesomemotive/easy-digital-downloads/issues/3998',
    links: [`${TEE}?client_reference_id=%name%&utm_source=news`],
    sold: { metadata: { utm_source: 'news' } },
  },
  {
    by: 'a chat counts the full stop behind a link as a part of it',
    source: 'https://github.com/ppy/osu-web/issues/7161',
    links: [`${TEE}.`, `${TEE}:1.`, `${TEE}?quantity=1.`, `${TEE}?email=jane@example.com.`],
    sold: { quantity: 1 },
  },
  {
    by: 'a linkifier takes the bracket and the full stop of a sentence along',
    source: 'https://github.com/mozilla/bleach/issues/49',
    links: [`${TEE}).`, `${TEE}:1).`],
    sold: {},
  },
  {
    by: 'a linkifier takes full-width punctuation along',
    source: 'https://github.com/anomalyco/opencode/issues/49748',
    links: [`${TEE}${encodeURIComponent('。')}`, `${TEE}${encodeURIComponent('）。')}`],
    sold: {},
  },
  {
    by: 'zero-width spaces stand behind a copied link',
    source: 'https://github.com/subat0mik/Misconfiguration-Manager/issues/22',
    links: [`${TEE}%E2%80%8B`, `${TEE}:1%E2%80%8B`],
    sold: {},
  },
  {
    by: 'a web site puts zero-width spaces into links, behind their punctuation',
    source: 'https://github.com/iftechfoundation/ifdb/issues/1296',
    links: ['/buy/tee-%E2%80%8Bblack-%E2%80%8Bm', '/buy/%E2%80%8Btee-black-m:%E2%80%8B1'],
    sold: {},
  },
  {
    by: 'blanks around a pasted link',
    source: 'https://github.com/themesberg/flowbite/pull/118',
    links: [`${TEE}%20`, '/buy/%20tee-black-m', `${TEE}%C2%A0`],
    sold: {},
  },
  {
    by: 'typographic apostrophes take the place of straight ones',
    source: 'https://github.com/Juris-M/citeproc-js/issues/235',
    links: ['/buy/o%E2%80%99neill', '/buy/o%E2%80%98neill', "/buy/o'neill"],
    sold: { sku: "o'neill" },
  },
  {
    by: 'an editor makes an en dash of a hyphen: another sku, whose page leads to the product',
    source: 'https://github.com/jlevy/atom-flowmark/issues/1',
    links: ['/buy/tee%E2%80%93black-m'],
    sold: 404,
  },
  {
    by: 'quoted-printable folds lines after 76 characters, and a client joins them with a blank',
    source: 'https://msdn.microsoft.com/en-us/library/ms526941(v=exchg.10).aspx',
    links: ['/buy/tee-bla%20ck-m', '/buy/tee-bla%0D%0A%20ck-m'],
    sold: {},
  },
  {
    by: 'quoted-printable that was not decoded leaves its escapes: a number that nobody can know',
    source: 'http://mail.stalker.com/Lists/SIMS/Message/15034.html',
    links: [`${TEE}?quantity=3D2`],
    sold: 400,
  },
  {
    by: 'quoted-printable that was not decoded leaves its soft line break in the sku',
    source: 'http://mail.stalker.com/Lists/SIMS/Message/15034.html',
    links: ['/buy/tee-bla=%0D%0Ack-m'],
    sold: 400,
  },
]

async function follow(shop: Service, { links, sold }: Damage): Promise<void> {
  for (const link of links) {
    const before = sessionsOf(shop).length
    const answer = await shop.get(link)
    if (typeof sold === 'number') {
      const { text } = await expectPage(answer, sold)
      expect(text).toMatch(/(?:href="\/products|action="\/buy)\/tee-black-m/)
      expect(sessionsOf(shop).length).toBe(before)
      continue
    }
    expect(`${link} ${Math.floor(answer.status / 100)}`).toBe(`${link} 3`)
    expect(sessionsOf(shop).length).toBe(before + 1)
    const { quantity = 1, sku = 'tee-black-m', email, reference, metadata = {} } = sold
    const asked = lastAsked(shop)
    const product = PRODUCTS.find((one) => one.sku === sku)
    expect(asked.line_items).toMatchObject([
      { quantity, price_data: { amount: product?.amount, product_data: { name: product?.name } } },
    ])
    if (email !== undefined) expect(asked.customer_email).toBe(email)
    expect(asked.client_reference_id).toBe(reference)
    expect(asked.metadata).toMatchObject(metadata)
  }
}

test.each(KNOWN.map((damage) => [damage.by, damage.source, damage] as const))(
  '%s (%s)',
  async (_by, _source, damage) => {
    await follow(await startService({ products: PRODUCTS }), damage)
  },
)

test('of all that is added behind or glued to a link, nothing spoils a signed one', async () => {
  const products = [...PRODUCTS, { sku: 'tee', name: 'Tee', amount: 2500 }]
  const shop = await startService({ products, env: SIGNING })
  const link = signed({ amount: 1900 })
  for (const tail of [
    '?utm_source=mautic',
    '%3Futm_source%3Dmautic',
    '&amp;utm_source=a',
    ')',
    '.',
    '%E2%80%8B',
    '%20',
    ').',
  ]) {
    expect(`${tail} ${(await shop.get(link + tail)).status}`).toBe(`${tail} 303`)
    expect(lastAsked(shop).line_items[0]?.price_data.amount).toBe(1900)
  }
})
