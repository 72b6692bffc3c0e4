"""What the Python parts of these tests share: the API of the nilod that nilod.sh started."""
import json
import os
import urllib.error
import urllib.request

SERVER = os.environ['NILO_SERVER']
ADMIN = open(os.environ['NILO_TOKEN_FILE'], encoding='ascii').read().strip()


def call(method, path, body=None, token=ADMIN, kind='application/json', accept='application/json'):
    """The status and the body as text."""
    data = None if body is None else (body if isinstance(body, str) else json.dumps(body)).encode()
    q = urllib.request.Request(SERVER + path, data=data, method=method)
    q.add_header('Authorization', 'Bearer ' + token)
    q.add_header('Accept', accept)
    if data is not None:
        q.add_header('Content-Type', kind)
    try:
        with urllib.request.urlopen(q, timeout=120) as a:
            return a.status, a.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, e.read().decode()


def ask(path, token=ADMIN):
    status, text = call('GET', path, token=token)
    if status != 200:
        raise AssertionError(f'GET {path}: {status} {text}')
    return json.loads(text)


def do(path, body, token=ADMIN, expect=(200, 201)):
    status, text = call('POST', path, body, token=token)
    if status not in expect:
        raise AssertionError(f'POST {path} {body}: {status} {text}')
    return json.loads(text) if text else None


def take(kind, lines):
    """Imports a CSV of which nothing may be refused."""
    status, text = call('POST', '/v1/import/' + kind, '\n'.join(lines) + '\n', kind='text/csv')
    if status not in (200, 201) or json.loads(text).get('refused'):
        raise AssertionError(f'import {kind}: {status} {text[:600]}')


def settle():
    do('/v1/settle', {})


def same(found, expected, what):
    if found != expected:
        raise AssertionError(f'{what}: expected {expected!r}, found {found!r}')


def run(claims):
    """Each claim is a function whose name says it; the first that fails ends it."""
    for claim in claims:
        try:
            claim()
        except AssertionError as e:
            print(f'FAIL  {claim.__name__}\n      {e}')
            raise SystemExit(1) from None
        print(f'ok    {claim.__name__}')
