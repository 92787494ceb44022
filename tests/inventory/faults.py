"""Inventories with one fault each, of those that controller/fleet.h says are refused, and the line to be named."""
import random

# What the fault is: lines of which the last (or those marked by a leading >) is to be named.
FAULTS = [
    ('a host twice in a group', ['[bad]', 'h1', '>h1']),
    ('a host twice in a group, by ranges', ['[bad]', 'h[1:5]', '>h[5:6]']),
    ('two values of a host in two places', ['[bad]', 'h1 rollout_zone=a', '[worse]', '>h1 rollout_zone=b']),
    ('two values in one line', ['[bad]', '>h1 rollout_zone=a rollout_zone=b']),
    ('two addresses of a host', ['[bad]', 'h1 ansible_host=a', '[worse]', '>h1 ansible_host=b']),
    ('two values of a group', ['[bad]', 'h1', '[bad:vars]', 'rollout_zone=a', '>rollout_zone=b']),
    ('two priorities of a group', ['[bad]', 'h1', '[bad:vars]', 'ansible_group_priority=2', '>ansible_group_priority=3']),
    ('an unknown key of a host', ['[bad]', '>h1 rollout_zonne=a']),
    ('an unknown key of a group', ['[bad]', 'h1', '[bad:vars]', '>rollout_quux = 1']),
    ('a key with a dash', ['[bad]', 'h1', '[bad:vars]', '>rollout-zone = a']),
    ('a value that the key does not take', ['[bad]', 'h1', '[bad:vars]', '>rollout_bake = soon']),
    ('a template of Ansible', ['[bad]', ">h1 rollout_version='{{ v }}'"]),
    ('an address from a template', ['[bad]', ">h1 ansible_host='{{ v }}'"]),
    ('no host name', ['[bad]', '>h1/2']),
    ('no host name, a dash first', ['[bad]', '>-h1']),
    ('no host name, a colon last', ['[bad]', '>h1:']),
    ('YAML', ['[bad]', '>---']),
    ('an odd port', ['[bad]', '>h1:ssh']),
    ('a port behind a name that Ansible does not split', ['[bad]', '>h-[:2]:22']),
    ('a port behind a dash', ['[bad]', '>h-:22']),
    ('a range that runs backwards', ['[bad]', '>h[3:1]']),
    ('letters that run backwards', ['[bad]', '>h[c:a]']),
    ('letters small to capital', ['[bad]', '>h[a:C]']),
    ('zeros of two widths', ['[bad]', '>h[01:100]']),
    ('a range of one number', ['[bad]', '>h[1]']),
    ('a range without an end', ['[bad]', '>h[1:]']),
    ('a step of nothing', ['[bad]', '>h[1:3:0]']),
    ('a bracket without its partner', ['[bad]', '>h[1:3']),
    ('a range first', ['[bad]', '>[1:3]h']),
    ('too many hosts', ['[bad]', '>h[1:100001]']),
    ('no group of a child', ['[bad:children]', '>nope']),
    ('no group of variables', ['>[nope:vars]', 'foo=1']),
    ('a group in itself', ['[bad:children]', '>worse', '[worse:children]', '>bad']),
    ('a section of no kind', ['>[bad:variables]']),
    ('a section with a blank', ['>[bad worse]']),
    ('a section that something follows', ['>[bad] h1']),
    ('two words where a child is', ['[bad]', 'h1', '[worse:children]', '>bad h1']),
    ('a variable without a value', ['[bad]', 'h1', '[bad:vars]', '>rollout_zone']),
    ('a word behind a host', ['[bad]', '>h1 h2']),
    ('blanks around the =', ['[bad]', '>h1 rollout_zone = a']),
    ('a quote that is not closed', ['[bad]', '>h1 rollout_zone="a']),
    ('an apostrophe', ['[bad]', ">h1 foo=it's"]),
    ('a backslash at the end', ['[bad]', '>h1 foo=a\\']),
    ('a quote not closed in variables', ['[bad]', 'h1', '[bad:vars]', ">rollout_version = 'a"]),
    ('something behind a quoted value', ['[bad]', 'h1', '[bad:vars]', ">rollout_version = 'a' b"]),
    ('an escape that makes another character', ['[bad]', 'h1', '[bad:vars]', '>rollout_version = "a\\x41"']),
    ('a carriage return within', ['[bad]', '>h1 # h3\rh2']),
    ('a form feed within', ['[bad]', '>h1 # h3\x0ch2']),
    ('a line separator within', ['[bad]', '>h1 # h3\u2028h2']),
    ('an odd priority', ['[bad]', 'h1', '[bad:vars]', '>ansible_group_priority = high']),
    ('a load balancer twice', ['[bad]', 'h1 rollout_api=http://one/api', '>h2 rollout_api=http://one/api/']),
    ('a node twice', ['[bad]', 'h1', '>h2 rollout_agent=https://h1:9443']),
    ('a peer without a port', ['[bad]', '>h1 rollout_peer=h1']),
]


def faulty(seed, fault):
    """The text, what is wrong, the lines of which one is to be named. Sound groups stand around the fault."""
    dice = random.Random(seed)
    name, lines = fault
    sound = [[f'[s{i}]', f's{i}-[1:{dice.randint(1, 4)}] rollout_zone=z{i}', '# a remark', f'[s{i}:vars]', 'rollout_bake = 5s']
             for i in range(dice.randint(1, 5))]
    before = dice.randint(0, len(sound))
    text = sum(sound[:before], []) + lines + sum(sound[before:], [])
    at = [n + 1 for n, line in enumerate(text) if line[0] == '>']
    return '\n'.join(line.lstrip('>') for line in text) + '\n', name, at
