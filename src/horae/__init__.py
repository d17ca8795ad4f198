"""Horae: from a raw behaviour log to recommendations that know when.

Importing this package loads neither torch nor polars: the public names below are looked up on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from horae.data.clean import read_events
    from horae.data.impressions import join_impressions
    from horae.data.impute import Imputer, ImputeSettings
    from horae.data.merge import merge_logs
    from horae.data.outliers import Handled, OutlierSettings, handle_outliers
    from horae.data.scale import Scaler, fit_scaler
    from horae.data.settings import DataSettings
    from horae.data.shop.settings import ShopSettings
    from horae.data.simulate import simulate
    from horae.data.split import Split, split_by_column, split_by_time, split_leave_one_out, split_rolling
    from horae.errors import (
        DataError,
        HoraeError,
        MissingExtraError,
        NotTrainedError,
        RecipeError,
        RemoteError,
        RunError,
        StoreError,
        UnknownIdError,
    )
    from horae.evaluation.backtest.rolling import Backtest, backtest
    from horae.evaluation.backtest.settings import BacktestSettings
    from horae.evaluation.cold_protocol import ColdStart, evaluate_cold
    from horae.evaluation.feature_audit import audit_features
    from horae.evaluation.protocol import Evaluation, evaluate
    from horae.features.calendar import CalendarSettings
    from horae.features.compute import compute_features, write_features
    from horae.features.content.encode import encode_catalog, encode_images, encode_texts
    from horae.features.content.sentiment import add_sentiment
    from horae.features.content.text_vectors import add_text_vectors
    from horae.features.content.vectors import ContentVectors, read_vectors
    from horae.features.describing import describe
    from horae.features.settings import FeatureSettings
    from horae.forecasting.anomalies.find import find_anomalies
    from horae.forecasting.anomalies.result import Anomalies
    from horae.forecasting.autoencoder import AutoencoderSettings
    from horae.forecasting.events import forecast
    from horae.forecasting.imputing import fit_imputer, impute
    from horae.forecasting.series.forecast import forecast_series
    from horae.forecasting.series.result import SeriesForecast
    from horae.forecasting.series.settings import SeriesNetworkSettings, SeriesSettings
    from horae.recommend.adding import Added
    from horae.recommend.interests import UserInterests, interests
    from horae.recommend.questionnaire import Questionnaire, questionnaire
    from horae.recommend.recommender import Recommender
    from horae.recommend.run import load
    from horae.schema import Events, Forecasts, HistoryEvent, Recommendations, Requests
    from horae.sequences.prepared import PreparedLog, open_large, prepare_large
    from horae.sequences.prepared_split import PreparedSplit, split_prepared
    from horae.training.compare import compare
    from horae.training.estimate import Estimate, estimate
    from horae.training.train import Options, train
    from horae.training.tune import Tuned, tune

__version__ = "0.1.0"

_HOME = {
    "Anomalies": "forecasting.anomalies.result",
    "Added": "recommend.adding",
    "AutoencoderSettings": "forecasting.autoencoder",
    "Backtest": "evaluation.backtest.rolling",
    "BacktestSettings": "evaluation.backtest.settings",
    "ColdStart": "evaluation.cold_protocol",
    "ContentVectors": "features.content.vectors",
    "DataError": "errors",
    "CalendarSettings": "features.calendar",
    "DataSettings": "data.settings",
    "Evaluation": "evaluation.protocol",
    "FeatureSettings": "features.settings",
    "Events": "schema",
    "Handled": "data.outliers",
    "Forecasts": "schema",
    "HistoryEvent": "schema",
    "HoraeError": "errors",
    "ImputeSettings": "data.impute",
    "Imputer": "data.impute",
    "MissingExtraError": "errors",
    "SeriesNetworkSettings": "forecasting.series.settings",
    "NotTrainedError": "errors",
    "Options": "training.train",
    "OutlierSettings": "data.outliers",
    "PreparedLog": "sequences.prepared",
    "Estimate": "training.estimate",
    "PreparedSplit": "sequences.prepared_split",
    "Questionnaire": "recommend.questionnaire",
    "RecipeError": "errors",
    "Recommendations": "schema",
    "Recommender": "recommend.recommender",
    "RemoteError": "errors",
    "Requests": "schema",
    "RunError": "errors",
    "SeriesForecast": "forecasting.series.result",
    "SeriesSettings": "forecasting.series.settings",
    "Scaler": "data.scale",
    "ShopSettings": "data.shop.settings",
    "Split": "data.split",
    "StoreError": "errors",
    "Tuned": "training.tune",
    "UnknownIdError": "errors",
    "UserInterests": "recommend.interests",
    "add_sentiment": "features.content.sentiment",
    "add_text_vectors": "features.content.text_vectors",
    "audit_features": "evaluation.feature_audit",
    "backtest": "evaluation.backtest.rolling",
    "compare": "training.compare",
    "compute_features": "features.compute",
    "estimate": "training.estimate",
    "describe": "features.describing",
    "encode_catalog": "features.content.encode",
    "encode_images": "features.content.encode",
    "encode_texts": "features.content.encode",
    "evaluate": "evaluation.protocol",
    "evaluate_cold": "evaluation.cold_protocol",
    "find_anomalies": "forecasting.anomalies.find",
    "forecast_series": "forecasting.series.forecast",
    "fit_imputer": "forecasting.imputing",
    "fit_scaler": "data.scale",
    "handle_outliers": "data.outliers",
    "impute": "forecasting.imputing",
    "forecast": "forecasting.events",
    "interests": "recommend.interests",
    "join_impressions": "data.impressions",
    "load": "recommend.run",
    "merge_logs": "data.merge",
    "open_large": "sequences.prepared",
    "prepare_large": "sequences.prepared",
    "questionnaire": "recommend.questionnaire",
    "read_events": "data.clean",
    "read_vectors": "features.content.vectors",
    "simulate": "data.simulate",
    "split_by_column": "data.split",
    "split_by_time": "data.split",
    "split_leave_one_out": "data.split",
    "split_prepared": "sequences.prepared_split",
    "split_rolling": "data.split",
    "train": "training.train",
    "tune": "training.tune",
    "write_features": "features.compute",
}

__all__ = [
    "Added",
    "Anomalies",
    "AutoencoderSettings",
    "Backtest",
    "BacktestSettings",
    "CalendarSettings",
    "ColdStart",
    "ContentVectors",
    "DataError",
    "DataSettings",
    "Estimate",
    "Evaluation",
    "Events",
    "FeatureSettings",
    "Forecasts",
    "Handled",
    "HistoryEvent",
    "HoraeError",
    "ImputeSettings",
    "Imputer",
    "MissingExtraError",
    "NotTrainedError",
    "Options",
    "OutlierSettings",
    "PreparedLog",
    "PreparedSplit",
    "Questionnaire",
    "RecipeError",
    "Recommendations",
    "Recommender",
    "RemoteError",
    "Requests",
    "RunError",
    "Scaler",
    "SeriesForecast",
    "SeriesNetworkSettings",
    "SeriesSettings",
    "ShopSettings",
    "Split",
    "StoreError",
    "Tuned",
    "UnknownIdError",
    "UserInterests",
    "__version__",
    "add_sentiment",
    "add_text_vectors",
    "audit_features",
    "backtest",
    "compare",
    "compute_features",
    "describe",
    "encode_catalog",
    "encode_images",
    "encode_texts",
    "estimate",
    "evaluate",
    "evaluate_cold",
    "find_anomalies",
    "fit_imputer",
    "fit_scaler",
    "forecast",
    "forecast_series",
    "handle_outliers",
    "impute",
    "interests",
    "join_impressions",
    "load",
    "merge_logs",
    "open_large",
    "prepare_large",
    "questionnaire",
    "read_events",
    "read_vectors",
    "simulate",
    "split_by_column",
    "split_by_time",
    "split_leave_one_out",
    "split_prepared",
    "split_rolling",
    "train",
    "tune",
    "write_features",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'horae' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"horae.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
