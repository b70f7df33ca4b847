// SPDX-License-Identifier: PostgreSQL
// node-postgres through pgsluice: usage: node drivers.js PORT DB USER
// Prints "ok" at the end, or throws.
'use strict'
const assert = require('assert')
const { Client, Pool } = require('pg')

const [port, database, user] = process.argv.slice(2)
const options = { host: '127.0.0.1', port: Number(port), database, user }

async function queries () {
  const client = new Client(options)
  await client.connect()
  let r = await client.query('SELECT 1 AS one, $1::text AS two', ['zwei'])
  assert.deepStrictEqual(r.rows, [{ one: 1, two: 'zwei' }])
  r = await client.query('SELECT 1; SELECT 2')
  assert.strictEqual(r.length, 2)
  for (let n = 0; n < 20; n++) {
    r = await client.query({ name: 'named', text: 'SELECT $1::int + 1 AS n', values: [n] })
    assert.strictEqual(r.rows[0].n, n + 1)
  }
  await assert.rejects(client.query('SELECT 1/0'), { code: '22012' })
  await client.query('BEGIN')
  await client.query('CREATE TABLE node_test (a int, b bytea)')
  await client.query('INSERT INTO node_test VALUES ($1, $2)', [1, Buffer.from([0, 1, 255])])
  await client.query('COMMIT')
  r = await client.query('SELECT * FROM node_test')
  assert.deepStrictEqual(r.rows, [{ a: 1, b: Buffer.from([0, 1, 255]) }])
  await client.end()
}

async function pool () {
  const many = new Pool({ ...options, max: 20 })
  await Promise.all(Array.from({ length: 500 }, async (_, n) => {
    const r = await many.query('SELECT $1::text AS token', ['token ' + n])
    assert.strictEqual(r.rows[0].token, 'token ' + n)
  }))
  await many.end()
}

async function notifications () {
  const client = new Client(options)
  await client.connect()
  const heard = new Promise(resolve => client.on('notification', resolve))
  await client.query('LISTEN node')
  const other = new Client(options)
  await other.connect()
  await other.query("NOTIFY node, 'hello'")
  assert.strictEqual((await heard).payload, 'hello')
  await other.end()
  await client.end()
}

queries().then(pool).then(notifications).then(() => console.log('ok'))
