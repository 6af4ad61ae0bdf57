-- Indexes that none of our statements reads; each costs at every step of every job.
drop index pgqueuer_priority_id_id1_idx, pgqueuer_ep_ea_idx, pgqueuer_updated_id_id1_idx, pgqueuer_queue_manager_id_idx;
drop index pgqueuer_log_status, pgqueuer_log_job_id_status, pgqueuer_log_not_aggregated;
