CREATE TABLE `commands` (
	`id` text PRIMARY KEY NOT NULL,
	`outcome` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `cursors` (
	`queue` text PRIMARY KEY NOT NULL,
	`entry` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `events` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`time` integer NOT NULL,
	`project` text NOT NULL,
	`goal` text NOT NULL,
	`task` text,
	`claim` integer,
	`by` text,
	`type` text NOT NULL,
	`version` integer NOT NULL,
	`queue` text,
	`entry` text,
	`payload` text NOT NULL
);
--> statement-breakpoint
CREATE INDEX `events_goal` ON `events` (`goal`);--> statement-breakpoint
CREATE INDEX `events_task` ON `events` (`task`);--> statement-breakpoint
CREATE UNIQUE INDEX `events_origin` ON `events` (`queue`,`entry`);--> statement-breakpoint
CREATE TABLE `goals` (
	`id` text PRIMARY KEY NOT NULL,
	`number` integer NOT NULL,
	`project` text NOT NULL,
	`title` text NOT NULL,
	`priority` text NOT NULL,
	`key` text,
	`source` text,
	`by` text,
	`state` text NOT NULL,
	`generation` integer NOT NULL,
	`paused` integer NOT NULL,
	`signals` text NOT NULL,
	`approve` text,
	`submitted` integer NOT NULL,
	`evicted` integer NOT NULL,
	`floor` integer NOT NULL,
	`created_at` integer NOT NULL,
	`finished_at` integer,
	`merged` integer NOT NULL,
	`approved` integer NOT NULL,
	`pushed` text,
	`landed` text,
	`landing_trouble` text,
	`rollback` text
);
--> statement-breakpoint
CREATE INDEX `goals_state` ON `goals` (`state`);--> statement-breakpoint
CREATE UNIQUE INDEX `goals_key` ON `goals` (`project`,`key`);--> statement-breakpoint
CREATE TABLE `meta` (
	`key` text PRIMARY KEY NOT NULL,
	`value` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `pauses` (
	`kind` text NOT NULL,
	`name` text NOT NULL,
	`time` integer NOT NULL,
	`by` text,
	`why` text,
	PRIMARY KEY(`kind`, `name`)
);
--> statement-breakpoint
CREATE TABLE `schedules` (
	`name` text PRIMARY KEY NOT NULL,
	`project` text NOT NULL,
	`by` text,
	`added_at` integer NOT NULL,
	`cron` text NOT NULL,
	`tz` text NOT NULL,
	`overlap` text NOT NULL,
	`catch_up` text NOT NULL,
	`request` text NOT NULL,
	`paused` integer NOT NULL,
	`accounted` integer NOT NULL,
	`queued` text NOT NULL,
	`last_goal` text,
	`last_fired_at` integer,
	`remark` text
);
--> statement-breakpoint
CREATE TABLE `tasks` (
	`id` text PRIMARY KEY NOT NULL,
	`goal` text NOT NULL,
	`position` integer NOT NULL,
	`spec` text NOT NULL,
	`batch` integer NOT NULL,
	`state` text NOT NULL,
	`generation` integer NOT NULL,
	`open_needs` integer NOT NULL,
	`gates` text NOT NULL,
	`held` text,
	`edits` integer NOT NULL,
	`released` integer NOT NULL,
	`claims` integer NOT NULL,
	`failures` integer NOT NULL,
	`declines` integer NOT NULL,
	`stalls` integer NOT NULL,
	`failed_claim` integer NOT NULL,
	`proven_claim` integer NOT NULL,
	`agent` text,
	`queued_at` integer,
	`assigned_at` integer,
	`active_at` integer,
	`finished_at` integer,
	`retry_at` integer,
	`progress` text,
	`result` text,
	`error` text,
	`commit` text
);
--> statement-breakpoint
CREATE INDEX `tasks_goal` ON `tasks` (`goal`,`position`);--> statement-breakpoint
CREATE TRIGGER `events_no_update` BEFORE UPDATE ON `events` BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
--> statement-breakpoint
CREATE TRIGGER `events_no_delete` BEFORE DELETE ON `events` BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
