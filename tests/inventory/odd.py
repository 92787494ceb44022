"""One line of odd characters between plain ones, and odd patterns: what is taken must be taken for what Ansible takes it."""
import random


def word(dice, letters, most):
    return ''.join(dice.choice(letters) for _ in range(dice.randint(0, most)))


def odd_inventory(seed):
    dice = random.Random(seed)
    value = word(dice, 'ab1 \'"\\#=.,:n[]', 9)
    kind = dice.randrange(5)
    lines = ['web1', 'db2']
    if kind == 0:
        lines.append('x9 rollout_version=' + value)
    elif kind == 1:
        lines += ['[all:vars]', 'rollout_version = ' + value.replace('#', '\\')]
    elif kind == 2:
        lines.append('x9 rollout_health_body=\'"' + value.replace("'", 'n') + '"\'')
    elif kind == 3:
        lines.append('n' + word(dice, '[]:019azA-', 10) + dice.choice(['', ':22', ']', '[1:3]']))
    else:
        lines += ['[g]', 'web1', 'web3', '[h]', 'a1', 'a2']
    limits = []
    for _ in range(4):
        mark = dice.choice(['', '', '~', '!', '&', 'web'])
        limits.append('# --limit ' + mark + word(dice, 'webdg123*?[]!^-:,&\\ .+|()$', 7))
    return '\n'.join(limits + lines) + '\n'
