/**
 * The door in front of every page. Bull Board has no defence of its own: whoever reaches it may read all jobs,
 * and a page in the same browser could make it change them.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { ErrorRequestHandler, NextFunction, Request, RequestHandler, Response } from 'express';
import { DroverError, messageOf } from '../core/errors.js';

const COOKIE = 'drover_token';

/** Only what this server sends itself: what Bull Board's page may ask of others stays here. */
const POLICY = [
  "default-src 'self'",
  // Bull Board writes style attributes and a style element.
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "object-src 'none'",
  "base-uri 'self'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ');

export const isLoopback = (host: string): boolean =>
  ['localhost', '127.0.0.1', '::1', '[::1]'].includes(host);

/** @throws DroverError where the server would be open to other machines without a token. */
export function checkExposure(host: string, token: string | undefined): void {
  if (isLoopback(host) || token !== undefined) return;
  throw new DroverError(
    'bad-input',
    `Listening on ${host} would open Drover to other machines.`,
    'Set DROVER_TOKEN to a long random text, or listen on 127.0.0.1.',
  );
}

/** Headers for every answer. */
export const securityHeaders: RequestHandler = (_request, response, next) => {
  response.set({
    'Content-Security-Policy': POLICY,
    'X-Content-Type-Options': 'nosniff',
    'Referrer-Policy': 'no-referrer',
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Cross-Origin-Resource-Policy': 'same-origin',
  });
  next();
};

/**
 * Without a token only requests that name a loopback host pass, so that a foreign name which was pointed at
 * this machine (DNS rebinding) does not. A request that changes something must come from a page of this server,
 * or from a program, which sends no Origin.
 */
export function checkOrigin(token: string | undefined): RequestHandler {
  return (request, response, next) => {
    const { host, origin } = request.headers;
    if (token === undefined && !isLoopback(hostOf(host))) {
      refuse(response, 403, 'This server answers to localhost only.');
      return;
    }
    const foreign = origin !== undefined && originHost(origin) !== host;
    const crossSite = request.headers['sec-fetch-site'] === 'cross-site';
    if (request.method !== 'GET' && request.method !== 'HEAD' && (foreign || crossSite)) {
      refuse(response, 403, 'This request comes from another site.');
      return;
    }
    next();
  };
}

/**
 * Asks for the token as `Authorization: Bearer`, as a cookie, or once as `?token=` in the address, which sets
 * the cookie and takes the token out of the address again.
 */
export function checkToken(token: string | undefined): RequestHandler {
  return (request: Request, response: Response, next: NextFunction) => {
    if (token === undefined) {
      next();
      return;
    }
    const asked = request.query['token'];
    if (typeof asked === 'string' && same(asked, token)) {
      response.cookie(COOKIE, token, { httpOnly: true, sameSite: 'strict', path: '/' });
      response.redirect(303, withoutToken(request.originalUrl));
      return;
    }
    const bearer = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1];
    if (same(bearer ?? cookieOf(request), token)) {
      next();
      return;
    }
    response.set('WWW-Authenticate', 'Bearer');
    refuse(
      response,
      401,
      'A token is needed: open this address with ?token=… once, or send it as a bearer token.',
    );
  };
}

/** Behind all pages: what goes wrong is told without its stack, which names this machine's folders. */
export const tellError: ErrorRequestHandler = (error, _request, response, next) => {
  if (response.headersSent) {
    next(error);
    return;
  }
  const { status } = error as { status?: unknown };
  refuse(response, typeof status === 'number' ? status : 500, `${messageOf(error)}.`);
};

function refuse(response: Response, status: number, text: string): void {
  response.status(status).type('text').send(`${text}\n`);
}

const hostOf = (header: string | undefined): string => (header ?? '').replace(/:\d+$/, '');

function originHost(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}

/** The same address on this server: one that begins with two slashes would name another. */
function withoutToken(address: string): string {
  const url = new URL(address.replace(/^[/\\]+/, '/'), 'http://localhost');
  url.searchParams.delete('token');
  return url.pathname.replace(/^\/+/, '/') + url.search;
}

/** Nothing where there is none, or one that nobody here has written. */
function cookieOf(request: Request): string {
  const cookies = (request.headers.cookie ?? '').split('; ');
  const found = cookies.find((cookie) => cookie.startsWith(`${COOKIE}=`));
  try {
    return decodeURIComponent(found?.slice(COOKIE.length + 1) ?? '');
  } catch {
    return '';
  }
}

/** In constant time, whatever the lengths. */
function same(given: string, wanted: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(wanted));
}
