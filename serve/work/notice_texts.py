"""What a notification says: the JSON body of a new alarm, and the mail about several."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from pydantic import BaseModel

from hvac.explain.reason import reason_of
from hvac.explain.wording import reason_sentence
from hvac.panel.names import NO_NAMES, Names
from hvac.scoring.latest_rows import RankedUnit
from hvac.words import Texts, read_texts
from serve.ids import segment


class AlarmNotice(BaseModel):
    """The body that a webhook gets; `text` alone says all of it, as chats show it."""

    id: str
    test: bool = False
    facility_id: str
    equipment_id: str
    equipment: str
    facility: str
    point_id: str | None
    end_date: dt.date
    days: int
    risk: float
    threshold: float
    reason: str | None
    link: str | None
    text: str


class NoticeWords(Texts):
    """The texts of notifications in one language."""

    def __init__(self, language: str, names: Names = NO_NAMES) -> None:
        super().__init__(language, read_texts("serve", "notices.yaml"))
        self.names = names

    def notice(
        self,
        entry: RankedUnit,
        days: int,
        *,
        episode: str,
        url: str | None,
        test: bool = False,
    ) -> AlarmNotice:
        """Return the notification of equipment's alarm within so many days.

        Args:
            url: address of the pages, for the link; None: there is no link.
        """
        facility_id, equipment_id = entry["facility_id"], entry["equipment_id"]
        equipment = self.names.shown(
            "equipment", equipment_id, self.language, facility_id
        )
        facility = self.names.shown("facility", facility_id, self.language)
        risk, threshold = entry["risks"][days], entry["thresholds"][days]
        reason = self._reason(entry)
        text = self(
            "alarm",
            equipment=equipment,
            facility=facility,
            days=days,
            percent=f"{100 * risk:.0f}",
            cut=f"{100 * threshold:.0f}",
        )
        lines = [f"{self('test')}{text}" if test else text]
        lines += [self("reason", reason=reason)] if reason else []
        place = f"/equipment/{segment(facility_id)}/{segment(equipment_id)}"
        return AlarmNotice(
            id=episode,
            test=test,
            facility_id=facility_id,
            equipment_id=equipment_id,
            equipment=equipment,
            facility=facility,
            point_id=entry["point"],
            end_date=entry["end_date"],
            days=days,
            risk=risk,
            threshold=threshold,
            reason=reason,
            link=f"{url.rstrip('/')}{place}" if url else None,
            text=" ".join(lines),
        )

    def _reason(self, entry: RankedUnit) -> str | None:
        """Return the strongest reason for an alarm in words; None where there is none."""
        reasons = [reason_of(reason) for reason in entry["reasons"] or ()]
        if not reasons or reasons[0].log_odds <= 0:
            return None
        return reason_sentence(reasons[0], self.language, self.names)

    def subject(self, notices: Sequence[AlarmNotice]) -> str:
        """Return the subject of a mail about alarms."""
        first = notices[0]
        if len(notices) > 1:
            text = self("subject_many", n=len(notices))
        else:
            text = self(
                "subject_one", equipment=first.equipment, facility=first.facility
            )
        return f"{self('test')}{text}" if first.test else text

    def mail(self, notices: Sequence[AlarmNotice]) -> str:
        """Return the text of a mail about alarms."""
        parts = []
        for notice in notices:
            lines = [
                notice.text,
                self("as_of", date=notice.end_date),
                notice.link or "",
            ]
            parts.append("\n".join(filter(None, lines)))
        return "\n\n".join([*parts, self("foot")]) + "\n"
