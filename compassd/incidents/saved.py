"""What of incidents is kept on disk, so that a restart tells nothing twice and forgets nothing."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from compassd.breach import Breach
from compassd.incidents.incident import Incident, IncidentState
from compassd.incidents.storm import Ceiling

CEILINGS = "ceilings"
"""The id of the record that says when destinations got their last messages. No incident has such an id."""

_STATE: TypeAdapter[IncidentState] = TypeAdapter(IncidentState)
_EXEMPLARS: TypeAdapter[list[Breach]] = TypeAdapter(list[Breach])
_CEILINGS: TypeAdapter[dict[str, Ceiling]] = TypeAdapter(dict[str, Ceiling])


class UnreadableError(Exception):
    """A record is not what this version writes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedIncident:
    """A record to be kept under its id: an incident, or the ceilings.

    Attributes:
        id: The incident's id, or CEILINGS.
        state: Its state.
        exemplars: Its exemplars, with call trees up to some hundred KB. When it is written, None says that
            they are as they were written before.
    """

    id: str
    state: bytes
    exemplars: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What is to be written, in one transaction, with the messages that are due.

    Attributes:
        upserted: Records that are new or changed.
        removed: Ids of records to delete; some were never written.
    """

    upserted: tuple[SavedIncident, ...]
    removed: tuple[str, ...]


def save_incident(incident: Incident, *, with_exemplars: bool) -> SavedIncident:
    """Return the record of an incident, without its exemplars if these have not changed."""
    return SavedIncident(
        id=incident.state.id,
        state=_STATE.dump_json(incident.state),
        exemplars=_EXEMPLARS.dump_json(incident.exemplars) if with_exemplars else None,
    )


def load_incident(saved: SavedIncident) -> Incident:
    """Return the incident in a record.

    Raises:
        UnreadableError: The record is damaged, or of another version.
    """
    try:
        state = _STATE.validate_json(saved.state)
        exemplars = _EXEMPLARS.validate_json(saved.exemplars or b"[]")
    except ValidationError:
        # The exception holds the text.
        raise UnreadableError from None
    if not exemplars or state.id != saved.id or (state.pending is not None and not state.pending.times):
        raise UnreadableError
    if state.pending is not None:
        # The count of requests that they are compared with begins anew, too.
        state.pending.buckets.clear()
    return Incident(state, exemplars)


def save_ceilings(ceilings: dict[str, Ceiling]) -> SavedIncident:
    """Return the record of all ceilings."""
    return SavedIncident(id=CEILINGS, state=_CEILINGS.dump_json(ceilings), exemplars=b"")


def load_ceilings(saved: SavedIncident) -> dict[str, Ceiling]:
    """Return the ceilings in their record.

    Raises:
        UnreadableError: The record is damaged, or of another version.
    """
    try:
        return _CEILINGS.validate_json(saved.state)
    except ValidationError:
        raise UnreadableError from None
