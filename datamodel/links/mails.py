"""What the mails with links say, in the languages of participants. No name, no study: a mailbox is often not one's own. Pure."""

from collections.abc import Sequence
from typing import Final

_TEXTS: Final = {
    "en": {
        "subject": "Your sign-in link",
        "hello": "Hello,",
        "asked": "you asked for a link to sign in to your study.",
        "handed": "your study team invites you to sign in to your study.",
        "for": "For {name}:",
        "how_asked": "Open it in the browser where you asked for it. On another device you will need the six digits "
        "that are shown there. It works once, for {minutes} minutes.",
        "how_handed": "You will need the six digits that your study team tells you. It works once, for {days} days.",
        "not_you": "If you did not ask for it, you need not do anything: nobody can sign in with this mail alone.",
    },
    "fr": {
        "subject": "Votre lien de connexion",
        "hello": "Bonjour,",
        "asked": "vous avez demandé un lien pour vous connecter à votre étude.",
        "handed": "votre équipe d’étude vous invite à vous connecter à votre étude.",
        "for": "Pour {name} :",
        "how_asked": "Ouvrez-le dans le navigateur où vous l’avez demandé. Sur un autre appareil, il vous faudra les six "
        "chiffres qui y sont affichés. Il fonctionne une seule fois, pendant {minutes} minutes.",
        "how_handed": "Il vous faudra les six chiffres que votre équipe d’étude vous donne. Il fonctionne une seule fois, "
        "pendant {days} jours.",
        "not_you": "Si vous n’avez rien demandé, ne faites rien : personne ne peut se connecter avec ce seul message.",
    },
}


def asked(language: str, links: Sequence[tuple[str, str]], *, minutes: int) -> tuple[str, str]:
    """Return subject and text of a mail that was asked for. `links`: (pseudonym, address); several when one mailbox is of several."""
    said = _TEXTS.get(language, _TEXTS["en"])
    lines = [said["hello"], "", said["asked"], ""]
    for name, address in links:
        lines += [said["for"].format(name=name)] if len(links) > 1 else []
        lines += [address, ""]
    return said["subject"], "\n".join([*lines, said["how_asked"].format(minutes=minutes), "", said["not_you"], ""])


def handed(language: str, address: str, *, days: int) -> tuple[str, str]:
    """Return subject and text of an invitation. The six digits are never in it."""
    said = _TEXTS.get(language, _TEXTS["en"])
    return said["subject"], "\n".join(
        [
            said["hello"],
            "",
            said["handed"],
            "",
            address,
            "",
            said["how_handed"].format(days=days),
            "",
            said["not_you"],
            "",
        ]
    )
