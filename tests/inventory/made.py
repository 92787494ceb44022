"""Inventories of the subset that controller/fleet.h documents, made from a seed; each counts the rules that it hits."""
import random

KEYS = {
    'rollout_zone': ['z1', 'z2', 'rack.7', 'b-2_c', '07', '1.10', 'True'],
    'rollout_service': ['app', 'jobs', 'app,jobs', 'a1'],
    'rollout_batch': ['1', '1,5', '20%', '1,5,20%'],
    'rollout_canary': ['0', '1', '7', '007'],
    'rollout_bake': ['5s', '0s', '1m', '250ms'],
    'rollout_peer': ['{address}:80', '{host}:8080', '{address}:80,{host}:81'],
    'rollout_agent': ['https://{host}:9444', 'https://{host}:9445/x'],
    'rollout_cert': ['/etc/pki/a.pem', '/a b/c.pem'],
}
FREE = ['rollout_version', 'rollout_health_body']
WORDS = ['two words', 'a#b', 'a # b', '#a', "it's", 'say "hi"', 'back\\slash', '\\d', 'a=b', '[a, b]', '[1, 2]', '{}',
         '1.10', '0x1f', '1e3', '007', '1_000', 'None', 'yes', 'False', '-5', '+5', 'v1.2.3', 'a:b', ';a', 'a;b', 'ä ö',
         '日本', "'", '"', '\\', 'a\\', "a'b\"c", '1,2', '(1)', '"q"', "'q'", 'r', 'a b  c', '$HOME', '`x`', '!', '&', '*',
         "u'x", 'x\\n', '\\t', 'a\\"b', '%', '~', '1 + 2', '...', "''", '""']
ASCII = [word for word in WORDS if word.isascii()]  # all that a version may be
FOREIGN = ['ansible_user=root', 'http_port=80', 'foo="a b"', "bar='#'", 'baz=', 'x=y=z', 'ansible_become=true', 'q=\\"']


def host_word(dice, key, text, hits):
    """KEY=VALUE as a host line has it, to be read as text: one way of several to quote."""
    ways = ['single', 'double', 'backslash', 'whole']
    if text and not set(text) & set(' \t#\'"\\'):
        ways += ['plain', 'plain', 'partly', 'inner']
    looks_quoted = text[:1] in '\'"' and text[-1:] == text[:1] and text
    way = dice.choice(ways)
    if looks_quoted:  # a second pair, or Ansible takes off the one that is meant
        text = repr_both(text)
        way = dice.choice(['single', 'double', 'backslash'])
        hits['value that looks quoted'] += 1
    single = "'" + text.replace("'", "'\\''") + "'"
    double = '"' + text.replace('\\', '\\\\').replace('"', '\\"') + '"'
    hits['host value, ' + way] += 1
    return {
        'plain': f'{key}={text}', 'single': f'{key}={single}', 'double': f'{key}={double}',
        'whole': f'"{key}={double[1:]}', 'inner': f'{key}="\'{text}\'"', 'partly': f'{key}={text[:1]}"{text[1:]}"',
        'backslash': f'{key}=' + ''.join('\\' + c if c in ' \t#\'"\\$`' else c for c in text),
    }[way]


def repr_both(text):
    """Between quotes, with \\ and the quote escaped: as Python and we read it."""
    return '"' + text.replace('\\', '\\\\').replace('"', '\\"') + '"'


def vars_value(dice, text, hits):
    """The rest of a line of [g:vars], to be read as text."""
    ways = ['single', 'double']
    if text == text.strip() and text[:1] not in ('"', "'") and text[1:2] != "'" and '#' not in text and text:
        ways += ['plain', 'plain']
    way = dice.choice(ways)
    hits['group value, ' + way] += 1
    if way == 'plain':
        return text
    if way == 'double':
        return repr_both(text)
    return "'" + text.replace('\\', '\\\\').replace("'", "\\'") + "'"


class Made:
    def __init__(self, seed, hits):
        self.dice = dice = random.Random(seed)
        self.hits = hits
        self.seed = seed
        self.lines = []
        self.hosts = {}    # name: {key: text}
        self.members = {}  # group: hosts that it lists, in order
        self.set = {}      # group: {key: text}
        self.children = {}
        self.lbs = set()
        self.stock = [f'g{i}' for i in range(dice.randint(1, 9))] + dice.sample(['web', 'db', 'site', 'a-b', 'Z_9', 'ü'], 3)
        dice.shuffle(self.stock)
        self.fresh = 0
        self.limits = []
        for _ in range(dice.randint(0, 2)):
            self.host_line('ungrouped')
        self.sections()
        if not self.hosts:
            self.host_line(self.open_hosts(self.stock[0]))
        for _ in range(dice.randint(3, 8)):
            self.limits.append(self.pattern())

    def hit(self, what):
        self.hits[what] += 1

    def text(self):
        limits = ''.join(f'# --limit {p}\n' for p in self.limits)
        return limits + '\n'.join(self.lines) + '\n'

    def put(self, line):
        dice = self.dice
        if dice.random() < .1:
            line = dice.choice([' ', '\t', '  ']) + line
            self.hit('blanks in front')
        if dice.random() < .1:
            line += dice.choice([' ', '\t', '  '])
            self.hit('blanks behind')
        self.lines.append(line)
        if dice.random() < .08:
            self.lines.append(dice.choice(['# a remark', '; a remark', '', '  # [no]', '#']))
            self.hit('lines of comments, empty lines')

    # ---- sections
    def sections(self):
        dice = self.dice
        plan = []
        for group in self.stock:
            plan.append(('hosts', group))
            for kind, likely in (('vars', .7), ('children', .4), ('hosts', .3), ('vars', .15)):
                if dice.random() < likely:
                    plan.append((kind, group))
        plan += [(k, g) for k, g, p in (('vars', 'all', .6), ('vars', 'ungrouped', .3), ('hosts', 'all', .1),
                                        ('hosts', 'ungrouped', .1), ('children', 'all', .05)) if dice.random() < p]
        dice.shuffle(plan)
        opened = set()
        for kind, group in plan:
            if (kind, group) in opened:
                self.hit('a section opened again')
            elif kind == 'vars' and ('hosts', group) not in opened and group in self.stock:
                self.hit('variables before their group')
            opened.add((kind, group))
            getattr(self, 'open_' + kind)(group)

    def head(self, section):
        self.hit('sections')
        if self.dice.random() < .1:
            self.hit('comment behind a section')
            section += self.dice.choice([' # a remark', '#x', '  #'])
        self.put(section)

    def open_hosts(self, group):
        if group in ('all', 'ungrouped'):
            self.hit(f'[{group}]')
        self.head(f'[{group}]')
        for _ in range(self.dice.choice([0, 1, 1, 2, 3, 4])):
            self.host_line(group)
        return group

    def open_vars(self, group):
        if group in ('all', 'ungrouped'):
            self.hit(f'[{group}:vars]')
        self.head(f'[{group}:vars]')
        mine = self.set.setdefault(group, {})
        for _ in range(self.dice.randint(0, 5)):
            key, text = self.setting(mine)
            if self.dice.random() < .12:
                key, text = 'ansible_group_priority', mine.get('ansible_group_priority') or str(self.dice.choice([0, 1, 2, 10, -1, 30]))
                self.hit('ansible_group_priority')
            mine[key] = text
            value = vars_value(self.dice, text, self.hits) if key != 'ansible_group_priority' else text
            if self.dice.random() < .15:
                value += self.dice.choice([' # remark', '\t# remark it\'s', '   # remark "'])
                self.hit('comment behind a group value')
            self.put(key + self.dice.choice(['=', ' = ', '  =', '=\t']) + value)
        if self.dice.random() < .3:
            self.put(self.dice.choice(['foo = bar', "odd = 'unfinished", 'x=', 'y = {{ z }}', 'ansible_user=root']))
            self.hit('foreign keys of a group')

    def open_children(self, group):
        self.head(f'[{group}:children]')
        mine = self.children.setdefault(group, [])
        below = self.stock[self.stock.index(group) + 1:] if group in self.stock else self.stock
        for child in self.dice.sample(below, min(len(below), self.dice.randint(0, 3))):
            mine.append(child)
            self.hit('children' if f'[{child}]' in self.lines else 'children of a group to come')
            self.put(child + self.dice.choice(['', '', '', ' # a remark', '\t#x']))

    # ---- hosts
    def setting(self, mine):
        dice = self.dice
        key = dice.choice(list(KEYS) + FREE * 3)
        if key in mine:
            self.hit('a value said twice, the same')
            return key, mine[key]
        return key, dice.choice(KEYS.get(key) or (ASCII if key == FREE[0] else WORDS))

    def name(self, group):
        """A word for one or several new hosts and their names, or one that another group has already."""
        dice = self.dice
        self.fresh += 1
        stem = dice.choice(['web', 'db', 'W', 'n', 'x-', 'y_', '_z']) + str(self.fresh)
        again = [h for h in self.hosts if h not in self.members.get(group, ())]
        roll = dice.random()
        if again and roll < .25:
            self.hit('a host in a second group')
            host = dice.choice(again)
            return host, [host]
        if roll < .3:
            self.hit('IPv6')
            return (f'2001:db8::{self.fresh:x}',) * 1 + ([f'2001:db8::{self.fresh:x}'],)
        if roll < .34:
            self.hit('IPv4')
            return f'10.0.{self.fresh}.1', [f'10.0.{self.fresh}.1']
        if roll < .6:
            return self.ranges(stem + dice.choice(['-', '.', 'r']))
        word = stem + dice.choice(['', '', '.example.org', '.dc-1'])
        return word, [word]

    def ranges(self, stem):
        dice = self.dice
        word, names = stem, [stem]
        several = dice.choice([1, 1, 1, 2, 3])
        for i in range(several):
            spec, parts = self.range()
            tail = dice.choice(['', '.dc', 'x', '-n.example'])
            if i + 1 < several and not tail:
                tail = '-'
            word += spec + tail
            names = [n + p + tail for n in names for p in parts]
        if several > 1:
            self.hit('several ranges')
        return word, names

    def range(self):
        dice = self.dice
        step = dice.choice([None, None, 1, 2, 3])
        kind = dice.choice(['number', 'zeros', 'small', 'capital', 'open'])
        self.hit('range, ' + kind)
        if step:
            self.hit('range with a step')
        suffix = f':{step}' if step else ''
        if kind in ('small', 'capital'):
            base = 'a' if kind == 'small' else 'A'
            low = dice.randint(0, 22)
            high = dice.randint(low, low + 3)
            return (f'[{chr(ord(base) + low)}:{chr(ord(base) + high)}{suffix}]',
                    [chr(ord(base) + i) for i in range(low, high + 1, step or 1)])
        low = 0 if kind == 'open' else dice.choice([0, 1, 7, 8, 9, 98])
        high = low + dice.randint(0, 4)
        width = dice.randint(len(str(high)) + (len(str(high)) == 1), 4) if kind == 'zeros' else 0
        if kind == 'zeros' and len(str(low)) >= width:
            width += 1
        first = '' if kind == 'open' else str(low).zfill(width)
        return f'[{first}:{str(high).zfill(width)}{suffix}]', [str(i).zfill(width) for i in range(low, high + 1, step or 1)]

    def host_line(self, group):
        dice = self.dice
        word, names = self.name(group)
        if ':' in names[0] or any(n in self.members.get(group, ()) for n in names):
            if names[0] in self.members.get(group, ()):
                return
        elif dice.random() < .15 and '[:' not in word:
            word += f':{dice.choice([22, 2222])}'
            self.hit('a port')
        words, own = [], [self.hosts.setdefault(n, {}) for n in names]
        if dice.random() < .12 and not any(own) and not any(n in self.seen_lists() for n in names):
            self.hit('a load balancer')
            self.lbs.update(names)
            words.append('rollout_api=http://{host}:8080/api')
        for _ in range(dice.choice([0, 0, 1, 2, 3])):
            key, text = self.setting(own[0])
            if any(o.get(key, text) != text for o in own):
                continue
            for o in own:
                o[key] = text
            words.append(host_word(dice, key, text, self.hits))
        if dice.random() < .2 and not any('ansible_host' in o for o in own):
            address = dice.choice(['10.1.2.3', 'h.example', 'fd00::7'])
            for o in own:
                o['ansible_host'] = address
            words.append(f'ansible_host={address}')
            self.hit('ansible_host')
        if dice.random() < .2:
            words.append(dice.choice(FOREIGN))
            self.hit('foreign keys of a host')
        dice.shuffle(words)
        if dice.random() < .1:
            words.append(dice.choice(['# a remark', "# it's", '#']))
            self.hit('comment behind a host')
        self.members.setdefault(group, []).extend(names)
        self.put(dice.choice([' ', ' ', '\t', '  ']).join([word] + words))

    def seen_lists(self):
        return {h for hosts in self.members.values() for h in hosts}

    # ---- patterns
    def pattern(self):
        dice = self.dice
        parts = [self.part('') for _ in range(dice.choice([0, 1, 1, 1, 2]))]
        if not parts:
            self.hit('pattern, only & and !')
        parts += [self.part(dice.choice('&!')) for _ in range(dice.choice([0, 0, 1, 2]) or not parts)]
        dice.shuffle(parts)
        commas = any(':' in p and '[' not in p for p in parts) or any(',' in p for p in parts) or dice.random() < .5
        if len(parts) > 1:
            self.hit('pattern, commas' if commas else 'pattern, colons')
        return (dice.choice([',', ', ', ' ,']) if commas else ':').join(parts)

    def part(self, sign):
        dice = self.dice
        names = list(self.hosts)
        plain = [g for g in self.members if g in self.stock and g not in self.children and
                 not any(h in self.lbs for h in self.members[g])]
        kind = dice.choice(['host', 'group', 'group', 'wildcard', 'regex', 'position', 'all'])
        if kind == 'position' and not plain:
            kind = 'group'
        self.hit('pattern, ' + {'&': 'and ', '!': 'not ', '': ''}[sign] + kind)
        if kind == 'host':
            return sign + dice.choice(names)
        if kind == 'group':
            return sign + dice.choice(self.stock + ['ungrouped'])
        if kind == 'all':
            return sign + dice.choice(['all', '*'])
        if kind == 'position':
            group = dice.choice(plain)
            n = len(self.members[group])
            at = dice.randrange(n)
            return sign + group + dice.choice([f'[{at}]', f'[-{n - at}]', f'[{at}:]', f'[{at}:{dice.randint(at, n + 1)}]'
                                               if at else f'[0:{dice.randint(0, n)}]', f'[{n + 3}]'])
        if kind == 'regex':
            return sign + '~' + dice.choice([r'web\d', r'(web|db)\d+$', '.*[02468]$', 'w', '.*example', r'g\d', 'x-|y_',
                                             r'[a-z]+\d', r'[\d.]+$', r'[\w]+$', r'\w+', r'.*\.', r'.*[\.]'])
        name = dice.choice(names)
        return sign + dice.choice([name[:2] + '*', '*' + name[-1:], name[:-1] + '?', 'web*', '*.example.org', '[wd]*', 'g[0-3]*',
                                   '[!w]*', 'g?', '*[13579]*', 'w*b*', 'no*body'])
