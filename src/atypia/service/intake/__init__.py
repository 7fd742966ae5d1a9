"""What comes in: uploads, archives, paths below allowed roots, studies; bounded and looked at."""

from atypia.service.intake.receiving import Accepted, Receiving, accept, too_large
from atypia.service.intake.refused import Refused
from atypia.service.intake.roots import allowed
from atypia.service.intake.studies import job_of_study

__all__ = ["Accepted", "Receiving", "Refused", "accept", "allowed", "job_of_study", "too_large"]
