/** The HTTP door and Bull Board behind it, with a real browser. */
import { type IncomingMessage, request } from 'node:http';
import { networkInterfaces } from 'node:os';
import { chromium, type Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { browserPath } from '../../scripts/browser.mjs';
import { type HttpOptions, type HttpServer, startHttp } from '../../src/http/server.js';
import type { Drover } from '../../src/index.js';
import { testBed } from '../support/redis.js';

const bed = testBed();
const hasIPv6 = Object.values(networkInterfaces()).some((all) =>
  all?.some(({ address }) => address === '::1'),
);
const open: HttpServer[] = [];

async function serve(drover: Drover, options: Partial<HttpOptions> = {}): Promise<HttpServer> {
  const { connection, prefix } = drover;
  const server = await startHttp({
    client: connection.client,
    prefix,
    queues: () => drover.queues(),
    port: 0,
    ...options,
  });
  open.push(server);
  return server;
}

afterEach(async () => {
  for (const server of open.splice(0)) await server.close();
});

/** fetch() forbids a foreign Host header; a plain request does not. */
function status(url: string, method: string, headers: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    request(url, { method, headers }, (response) => {
      response.resume();
      resolve(response.statusCode!);
    })
      .on('error', reject)
      .end();
  });
}

describe('the door', () => {
  it('answers to loopback names only, unless there is a token', async () => {
    const { url } = await serve(await bed.start());
    expect(await status(`${url}/queues`, 'GET', {})).toBe(200);
    expect(await status(`${url}/queues`, 'GET', { host: 'rebound.example' })).toBe(403);
  });

  it('refuses changes that another site’s page asks for', async () => {
    const { url } = await serve(await bed.start(), { boardWrite: true });
    const target = `${url}/queues/api/queues/goals/pause`;
    expect(await status(target, 'PUT', { origin: 'https://elsewhere.example' })).toBe(403);
    expect(await status(target, 'PUT', { 'sec-fetch-site': 'cross-site' })).toBe(403);
    expect(await status(target, 'PUT', { origin: url })).toBe(200);
    expect(await status(target, 'PUT', { origin: 'null' })).toBe(403);
  });

  it('asks for the token, takes it once from the address, and then from its cookie', async () => {
    const token = 'correct horse';
    const { url } = await serve(await bed.start(), { token });
    expect(await status(`${url}/queues`, 'GET', {})).toBe(401);
    expect(await status(`${url}/queues`, 'GET', { authorization: 'Bearer wrong' })).toBe(401);
    expect(await status(`${url}/queues`, 'GET', { authorization: `Bearer ${token}` })).toBe(200);
    const entered = await fetch(`${url}/queues?token=${encodeURIComponent(token)}`, {
      redirect: 'manual',
    });
    expect(entered.status).toBe(303);
    expect(entered.headers.get('location')).toBe('/queues');
    const [cookie] = entered.headers.getSetCookie();
    expect(cookie).toMatch(/HttpOnly; SameSite=Strict/);
    expect(await status(`${url}/queues`, 'GET', { cookie: cookie!.split(';')[0]! })).toBe(200);
    expect(await status(`${url}/queues`, 'GET', { cookie: 'drover_token=%' })).toBe(401);
  });

  it.each([
    ['/queues/queue/shell?token=secret&status=completed', '/queues/queue/shell?status=completed'],
    ['/queues?a=1&token=secret&b=2', '/queues?a=1&b=2'],
    ['//elsewhere.example/?token=secret', '/elsewhere.example/'],
    ['/\\elsewhere.example/?token=secret', '/elsewhere.example/'],
    ['/.//elsewhere.example/?token=secret', '/elsewhere.example/'],
  ])('leads from %s to %s, on this server', async (asked, location) => {
    const { url } = await serve(await bed.start(), { token: 'secret' });
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const { hostname, port } = new URL(url);
      request({ hostname, port, path: asked }, resolve).on('error', reject).end();
    });
    answer.resume();
    expect([answer.statusCode, answer.headers.location]).toEqual([303, location]);
  });

  it('listens on IPv6, with brackets or without', { skip: !hasIPv6 }, async () => {
    const drover = await bed.start();
    for (const host of ['::1', '[::1]']) {
      const { port } = new URL((await serve(drover, { host })).url);
      expect(await status(`http://[::1]:${port}/queues`, 'GET', {})).toBe(200);
    }
    const { url } = await serve(drover, { host: '::', token: 'secret' });
    expect(url).toMatch(/^http:\/\/\[::\]:\d+$/);
  });

  it('names --host where it cannot listen on an address', async () => {
    const drover = await bed.start();
    // Reserved for documentation: no machine has it.
    await expect(serve(drover, { host: '192.0.2.1', token: 'secret' })).rejects.toMatchObject({
      remedy: expect.stringContaining('--host'),
    });
  });

  it('tells what is wrong with an address without the stack', async () => {
    const { url } = await serve(await bed.start());
    const answer = await fetch(`${url}/queues/queue/%E0%A4%A`);
    expect(answer.status).toBe(400);
    expect(await answer.text()).toBe("Failed to decode param '%E0%A4%A'.\n");
  });

  it('is not opened to other machines without a token, nor on a port that is taken', async () => {
    const drover = await bed.start();
    await expect(serve(drover, { host: '0.0.0.0' })).rejects.toThrow(/DROVER_TOKEN|other machines/);
    const { url } = await serve(drover);
    await expect(serve(drover, { port: Number(new URL(url).port) })).rejects.toMatchObject({
      code: 'conflict',
    });
  });
});

describe('Bull Board', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await chromium.launch({
      timeout: 60_000,
      // The set-up has installed one.
      executablePath: browserPath()!,
      args: [
        '--no-sandbox',
        '--disable-quic',
        '--disable-background-networking',
        '--disable-component-update',
      ],
    });
  });
  afterAll(async () => {
    await browser.close();
  });

  it('shows queues, readable job ids and logs, changes nothing, and no request leaves the machine', async () => {
    const drover = await bed.start();
    await drover.agent('shell', 'shell');
    const { url } = await serve(drover);
    const goal = await drover.enqueue({
      title: 'Look at me',
      tasks: [
        {
          name: 'first',
          title: 'Say something',
          capability: 'shell',
          run: 'echo a line of output',
        },
        { name: 'second', title: 'Say more', capability: 'shell', run: 'true', needs: ['first'] },
        { name: 'third', capability: 'shell', run: 'false', retry: { attempts: 1 } },
      ],
    });
    await goal.done();
    const page = await browser.newPage();
    // The test's own limit ends what hangs.
    page.setDefaultTimeout(0);
    const asked = new Set<string>();
    const failures: string[] = [];
    page.on('request', (sent) => asked.add(sent.url()));
    page.on('requestfailed', (sent) => {
      if (sent.failure()?.errorText === 'csp') failures.push(sent.url());
    });
    page.on('console', (said) => {
      if (said.type() === 'error') failures.push(said.text());
    });
    page.on('pageerror', (error) => failures.push(error.message));
    await page.goto(`${url}/`);
    await page.getByText('developer').or(page.getByText('shell')).first().waitFor();
    await page.goto(`${url}/queues/queue/shell?status=completed`);
    await page.getByText('task-1').first().waitFor();
    await page.getByText('Say something').first().waitFor();
    await page.goto(`${url}/queues/queue/shell/task-1`);
    await page.getByText('task-1').first().waitFor();
    await page.getByText('Logs', { exact: true }).first().click();
    await page.getByText('a line of output').first().waitFor();
    expect(failures).toEqual([]);
    expect([...asked].filter((address) => !address.startsWith(url))).toEqual([]);
    await page.close();
    // Read-only: the server itself refuses, whatever the page offers. The same is done where it may be.
    const retry = (board: string): Promise<number> =>
      status(`${board}/queues/api/queues/shell/task-3/retry`, 'PUT', {});
    expect(await retry(url)).toBe(405);
    expect((await goal.report()).tasks[2]!.claims).toBe(1);
    const writable = await serve(drover, { boardWrite: true });
    expect(await retry(writable.url)).toBe(204);
    await expect.poll(async () => (await goal.report()).tasks[2]!.claims).toBe(2);
  });
});
