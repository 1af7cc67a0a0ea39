"""Imports every file of cases, so that the registry is whole."""

from . import (  # noqa: F401
    cases_blind_further,
    cases_blind_healthy,
    cases_blind_objectives,
    cases_blind_optimizers,
    cases_blind_practice,
    cases_blind_sequence,
    cases_faults_depth,
    cases_faults_events,
    cases_faults_practice,
    cases_faults_sizes,
    cases_faults_values,
    cases_faults_wiring,
    cases_fifth_practice,
    cases_fifth_sequence,
    cases_fifth_vision,
    cases_fourth_inputs,
    cases_fourth_networks,
    cases_fourth_schedules,
    cases_healthy_networks,
    cases_healthy_objectives,
    cases_healthy_optimizers,
    cases_healthy_plain,
    cases_healthy_practice,
    cases_healthy_slow,
    cases_healthy_vision,
    cases_sequence,
    cases_third_control,
    cases_third_densities,
    cases_third_images,
    cases_third_practice,
    cases_third_sequence,
)
from .registry import CASES

__all__ = ["CASES"]
